# pix2pix_tf: `make` prints the first steps, `make help` all targets. Everything is written to .venv/, data/ and out/.
DATA ?= facades
DATA_ROOT ?= data/pix2pix
# The programs in bin/ get these from the environment, as they were typed. In a recipe, make and the
# shell would interpret quotes, blanks and $, and make expands the variables that it exports itself.
TYPED := DATA DATA_ROOT DATA_URL OUT PHOTOS INPUT A B IN MODEL TO FORMAT PORT EPOCHS STEPS WORKERS LPIPS PYTHON
unexport $(TYPED) ARGS
$(foreach name,$(TYPED),$(eval export PIX2PIX_$(name) := $$(value $(name))))
export PIX2PIX_DATA_ORIGIN := $(origin DATA)
# A misspelled variable would have no effect. Within another make, the command line is that of both.
ifeq ($(MAKELEVEL),0)
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
KNOWN := $(TYPED) ARGS RUNTIME IMAGE BASE GPUS JOBS
UNKNOWN := $(filter-out $(KNOWN) RUN STAMP PYTHON% SHELL MAKE% HOME PATH TMPDIR LANG,$(GIVEN))
MISTAKE := $(if $(UNKNOWN),$(shell bin/unknown-variable '$(KNOWN)' $(UNKNOWN)))
$(if $(MISTAKE),$(error $(MISTAKE)))
endif
# Commands run the code of this folder, even in a copy of a clone
export PYTHONPATH := $(CURDIR)$(if $(value PYTHONPATH),:$(value PYTHONPATH))
# The targets that bin/on-dataset runs
ON_DATASET := data lpips pairs check-pairs train export evaluate reproduce predict convert serve page generator plot tensorboard demo
NEED_RUNTIME := $(filter $(ON_DATASET) setup test test-all bench reference,$(MAKECMDGOALS))
ifndef RUNTIME
RUNTIME := tf1
ifneq ($(NEED_RUNTIME),)
# Up to make 4.3, what is exported is not in the environment of the shell function
CHOICE := $(shell $(foreach name,$(TYPED),PIX2PIX_$(name)='$(subst ','\'',$(value $(name)))') bin/choose-runtime $(NEED_RUNTIME))
RUNTIME := $(firstword $(CHOICE))
export PIX2PIX_CHOICE := $(wordlist 2,99,$(CHOICE))
endif
endif
$(if $(filter tf1 tf2,$(RUNTIME)),,$(error RUNTIME is '$(RUNTIME)': it must be tf1 or tf2))
VENV := .venv/$(RUNTIME)
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
INSTALLED := $(wildcard $(STAMP))
PRINT_CHOICE := [ -z "$$PIX2PIX_CHOICE" ] || echo "$$PIX2PIX_CHOICE"
IMAGE ?= pix2pix_tf
GPUS ?= all
JOBS ?= 2
# Without it, Material for MkDocs prints an advertisement of its successor
MKDOCS := NO_MKDOCS_2_WARNING=1 .venv/lint/bin/mkdocs
SITE := --config-file=docs/site/mkdocs.yml

start:
	@echo 'make draw                  draw a facade in the browser, and see a photo of it'
	@echo 'make demo                  draw facades, train on them and see the results'
	@echo 'make train DATA=facades    train on a dataset of the paper; the same command resumes'
	@echo 'make predict IN=photo.jpg  run the trained generator on your images'
	@echo 'make serve                 draw in a browser'
	@echo 'make help                  all targets and variables'

help:
	@echo 'Targets'
	@echo '  make train        train on DATA; the same command resumes'
	@echo '  make export       write the validation images as PNG files, with a page and metrics'
	@echo '  make evaluate     only compute the metrics'
	@echo '  make predict      run a trained generator on IN, an image or a folder of images'
	@echo '  make convert      convert a trained generator to FORMAT: saved_model, onnx or tflite'
	@echo '  make serve        serve a trained generator over HTTP, with a page to draw on'
	@echo '  make page         write that page and its model for a static web host'
	@echo '  make draw         that page with a trained generator, without TensorFlow and a training'
	@echo '  make generator    write the generator of MODEL into the package, under the name DATA'
	@echo '  make demo         train, export and plot on drawn facades, in two to five minutes'
	@echo '  make plot         plot the losses and metrics of a training'
	@echo '  make tensorboard  watch a training in TensorBoard'
	@echo '  make data         only download DATA'
	@echo '  make lpips        fetch the weights of LPIPS, a metric that follows the eye (64 MB)'
	@echo '  make pairs        make the dataset DATA from PHOTOS, or from the folders A and B'
	@echo '  make check-pairs  look for problems in DATA that would spoil a training'
	@echo '  make setup        only install the environment, .venv/RUNTIME'
	@echo '  make test         the quick tests; make test-all: all tests'
	@echo '  make bench        compare the speed with that of the code of the post'
	@echo '  make reproduce    the training and the tables of docs/results.md; the same command resumes'
	@echo '  make lint         check the code; make format: format it'
	@echo '  make reference    write docs/reference.md from the table of options'
	@echo '  make docs         serve the documentation as a site; make site: write it to out/site'
	@echo '  make docker       build the image'
	@echo '  make docker-train, make docker-export, make docker-evaluate   these commands in a container'
	@echo '  make clean        remove .venv and caches, and keep data and out'
	@echo
	@echo 'Variables'
	@echo '  DATA=facades            a known dataset, or a path with a /; for make export and'
	@echo '                          make evaluate by default that of the training in OUT'
	@echo '  DATA_ROOT=data/pix2pix  the folder of known datasets'
	@echo '  DATA_URL=URL            another archive to download; http://, https:// or file://'
	@echo '  OUT=out/NAME            the folder for results; for DATA=demo out/demo-full'
	@echo '  PHOTOS=folder, INPUT=edges   photos for make pairs, and the input to compute from each;'
	@echo '                          INPUT=auto: make predict computes it as for the training'
	@echo '  A=folder, B=folder      or folders with the two images of each pair under the same name'
	@echo '  IN=path                 the image, or folder of images, for make predict'
	@echo '  MODEL=OUT               the model to use: a training, a checkpoint, a SavedModel, an ONNX file,'
	@echo '                          or the name of a generator in this package, such as facades'
	@echo '  TO=folder               the folder to write to; by default one in MODEL'
	@echo '  FORMAT=saved_model      the format for make convert'
	@echo '  PORT=8000               the port for make serve, make draw and make docs'
	@echo '  EPOCHS=200, STEPS=N     the length of a training'
	@echo '  LPIPS=1                 also measure LPIPS, in make train, export and evaluate; or a file'
	@echo '                          of its weights'
	@echo '  WORKERS=N               number of processes that train one model on this machine'
	@echo '  ARGS="--flag=value"     flags of the command; docs/reference.md lists them'
	@echo '  RUNTIME=tf1 or tf2      TensorFlow 1.15 or 2.x'
	@echo '  PYTHON=python3.x        the Python of a new .venv/RUNTIME'
	@echo '  IMAGE=pix2pix_tf        the Docker image; BASE=image its base'
	@echo '  JOBS=2                  number of processes for the tests'
	@echo '  GPUS=all                the GPUs of a container; GPUS= means none'

.venv/%/.installed: requirements/%.txt setup.py
	@bin/on-dataset '' check $(filter $(ON_DATASET) draw,$(MAKECMDGOALS))
	@$(if $(INSTALLED),:,$(PRINT_CHOICE))
	@bin/install $* "$$PIX2PIX_PYTHON"

setup: $(STAMP)
	@$(if $(INSTALLED),$(PRINT_CHOICE))
	@[ -x '$(RUN)' ] || { echo '$(RUN) is missing, perhaps with its Python: run make clean, then the same command again' >&2; exit 1; }

train reproduce: data

$(ON_DATASET): setup
	@bin/on-dataset $(RUN) $@ $(if $(filter data lpips,$@),,$(value ARGS))

draw: .venv/draw/.installed
	@[ -x .venv/draw/bin/python ] || { echo '.venv/draw/bin/python is missing, perhaps with its Python: run make clean, then the same command again' >&2; exit 1; }
	@bin/on-dataset .venv/draw/bin/python draw $(value ARGS)

test: setup
	@$(RUN) -m pytest -n $(JOBS) -m 'not slow' $(value ARGS)

test-all: setup
	@$(RUN) -m pytest -n $(JOBS) $(value ARGS)

bench: setup
	@mkdir -p out && $(RUN) bench/run.py --json=out/bench-$(RUNTIME).json $(value ARGS)

lint: .venv/lint/.installed
	.venv/lint/bin/ruff check . && .venv/lint/bin/ruff format --check .
	.venv/lint/bin/mypy
	.venv/lint/bin/lint-imports
	.venv/lint/bin/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(MKDOCS) build --strict $(SITE)

docs: .venv/lint/.installed
	$(MKDOCS) serve $(SITE) --livereload --dev-addr=127.0.0.1:$${PIX2PIX_PORT:-8000}

site: .venv/lint/.installed
	$(MKDOCS) build --strict $(SITE)

format: .venv/lint/.installed
	.venv/lint/bin/ruff check --fix . ; .venv/lint/bin/ruff format .

reference: setup
	@$(RUN) -m pix2pix_tf.cli.reference > docs/reference.md.tmp && mv docs/reference.md.tmp docs/reference.md

docker:
	docker build $(if $(BASE),--build-arg BASE=$(BASE)) -t $(IMAGE) .

docker-train docker-export docker-evaluate:
	@bin/on-dataset '' docker '$(IMAGE)' '$(GPUS)' $(subst docker-,,$@) $(value ARGS)

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .import_linter_cache build dist *.egg-info && find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: start help setup data lpips pairs check-pairs train export evaluate reproduce predict convert serve page draw generator plot tensorboard demo test test-all bench lint format \
	reference docs site docker docker-train docker-export docker-evaluate clean
