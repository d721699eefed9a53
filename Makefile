# pix2pix_tf: `make` prints the targets. Everything lands in .venv/, data/ and out/.
DATA ?= facades
DATA_ROOT ?= data/pix2pix
FOLDER := $(if $(findstring /,$(DATA)),$(patsubst %/,%,$(DATA)),$(DATA_ROOT)/$(DATA))
OUT ?= out/$(notdir $(FOLDER))
ifndef RUNTIME
RUNTIME := $(shell bin/find-python tf1 $(PYTHON) >/dev/null && echo tf1 || echo tf2)
CHOSEN := RUNTIME=$(RUNTIME): $(if $(filter tf1,$(RUNTIME)),a Python for TensorFlow 1.15 was found,no Python 3.7 or 3.6 was found for TensorFlow 1.15)
endif
VENV := .venv/$(RUNTIME)
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
LIMITS := $(if $(EPOCHS),--max_epochs=$(EPOCHS)) $(if $(STEPS),--max_steps=$(STEPS))
# A data set made by hand may have no pictures to look at during training
WATCHED = $(if $(wildcard $(FOLDER)/val),--val_data='$(FOLDER)/val')
IMAGE ?= pix2pix_tf
# --user: what the container writes belongs to whoever calls
DOCKER_RUN = docker run --rm --gpus all --user $(shell id -u):$(shell id -g) \
	-v '$(abspath $(dir $(FOLDER)))':/data -v '$(abspath $(OUT))':/out $(IMAGE)

help:
	@echo 'make train    train on DATA                    DATA=facades (a name, or a path with a /)'
	@echo 'make export   write the validation PNGs        DATA_ROOT=data/pix2pix  OUT=out/<dataset>'
	@echo 'make evaluate only measure them                ARGS="--flag=value"'
	@echo 'make demo     two minutes on drawn façades     EPOCHS=200 or STEPS=n'
	@echo 'make tensorboard, make plot   how a training went, in OUT'
	@echo 'make data     only download DATA               DATA_URL=... (file:// too)'
	@echo 'make setup    only install into .venv/RUNTIME  RUNTIME=tf1 or tf2  PYTHON=python3.x'
	@echo 'make test, make lint, make clean (removes .venv and caches; data and out stay)'
	@echo 'make bench    how fast, beside the post       ARGS="--rounds=5"'
	@echo 'make docker, make docker-train                 BASE=image with TensorFlow 1.15'

.venv/%/.installed: requirements/%.txt setup.py
	@python=$$(bin/find-python $* $(PYTHON)) || { echo 'no Python for $*: install $(if \
	$(filter tf1,$*),3.7 (`uv python install 3.7` or `pyenv install 3.7`),3.10 to 3.13), or name one with PYTHON=' >&2; exit 1; }; \
	echo "installing $* into .venv/$* with $$python"; rm -rf .venv/$* && "$$python" -m venv .venv/$*
	@.venv/$*/bin/python -m pip install -q --disable-pip-version-check '$(if $(filter tf1,$*),pip==21.3.1,pip>=21)' 2>&1 | tail -n 3
	.venv/$*/bin/python -m pip install -q --disable-pip-version-check --no-deps -r $<
	$(if $(filter lint,$*),,.venv/$*/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .)
	@touch $@

setup: $(STAMP)
	@$(if $(CHOSEN),echo '$(CHOSEN)')

data: setup
	@$(if $(findstring /,$(DATA)),:,$(RUN) bin/pix2pix-data --name='$(DATA)' --root='$(DATA_ROOT)' $(if $(DATA_URL),--url='$(DATA_URL)'))

train: data
	@$(RUN) bin/pix2pix-train --data='$(FOLDER)/train' --out='$(OUT)' $(WATCHED) $(LIMITS) $(ARGS)

evaluate export: data
	@$(RUN) bin/pix2pix-$@ --data='$(FOLDER)/val' --out='$(OUT)' $(ARGS)

plot: setup
	@$(RUN) bin/pix2pix-plot --out='$(OUT)'

tensorboard: setup
	@$(VENV)/bin/tensorboard --logdir='$(OUT)' $(ARGS)

demo: setup
	@$(RUN) bin/pix2pix-demo --root=data/demo
	@$(RUN) bin/pix2pix-train --data=data/demo/train --val_data=data/demo/val --out=out/demo \
		--ngf=16 --ndf=16 --max_steps=1000 --display_freq=100 --eval_freq=100 --seed=1 $(ARGS)
	@$(RUN) bin/pix2pix-export --data=data/demo/val --out=out/demo --seed=1
	@$(RUN) bin/pix2pix-plot --out=out/demo
	@echo 'look at out/demo/index.html, and at development.html and curves.png beside it'

test: setup
	@$(RUN) -m pytest $(ARGS)

bench: setup
	@mkdir -p out && $(RUN) bench/run.py --json=out/bench-$(RUNTIME).json $(ARGS)

lint: .venv/lint/.installed
	.venv/lint/bin/ruff check . && .venv/lint/bin/ruff format --check .

docker:
	docker build $(if $(BASE),--build-arg BASE=$(BASE)) -t $(IMAGE) .

docker-train:
	mkdir -p '$(OUT)' '$(dir $(FOLDER))'
	$(if $(findstring /,$(DATA)),:,$(DOCKER_RUN) pix2pix-data --name='$(DATA)' --root=/data $(if $(DATA_URL),--url='$(DATA_URL)'))
	$(DOCKER_RUN) pix2pix-train --data='/data/$(notdir $(FOLDER))/train' --out=/out $(LIMITS) $(ARGS)

clean:
	rm -rf .venv .pytest_cache .ruff_cache build dist *.egg-info && find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help setup data train export evaluate plot tensorboard demo test bench lint docker docker-train clean
