#!/usr/bin/env bash
# Builds the image of the Dockerfile and runs it with a real Docker engine: train, stop, resume, export,
# evaluate, plot. Needs root, Debian's docker.io and a Python 3.6; without them, prints so and exits with 0.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/container/engine.sh
WORK=$(mktemp -d)
step() { printf 'container: %4ds  %s\n' "$SECONDS" "$*"; }

python36=$(PYENV_ROOT=${PYENV_ROOT:-$HOME/.pyenv}; ls -d "$PYENV_ROOT"/versions/3.6.*/bin/python3.6 2>/dev/null | tail -n 1 || true)
[ -n "$python36" ] || python36=$(command -v python3.6 || true)
if [ "$(id -u)" != 0 ] || [ -z "$python36" ] || ! install_engine >"$WORK/apt.log" 2>&1; then
    echo 'container: skipped: it needs root, Python 3.6 and the package docker.io'
    exit 0
fi
start_engine
step "$(docker --version)"
import_base tensorflow/tensorflow:1.15.0-gpu-py3 "$python36"
step 'base image'
make docker >"$WORK/build.log" 2>&1 || { cat "$WORK/build.log"; exit 1; }
[ "$(docker inspect --format '{{.Config.User}}' pix2pix_tf)" = pix2pix ]
step 'make docker'

# An archive as on the server of datasets, outside the folders that the container sees
small='--ngf=4 --ndf=4'
docker run --rm -u "$(id -u)" -v "$WORK:/out" pix2pix_tf \
    pix2pix-demo --root=archive/facades --train_pairs=4 --val_pairs=3 >/dev/null
tar -C "$WORK/archive" -czf "$WORK/facades.tar.gz" facades
run() { make -s "$1" GPUS= DATA=facades DATA_ROOT="$WORK/my data" OUT="$WORK/my out" "${@:2}"; }
expect() { grep -q "$1" "$WORK/log" || { cat "$WORK/log"; echo "container: no '$1' above"; exit 1; }; }

run docker-train DATA_URL="file://$WORK/facades.tar.gz" STEPS=3 ARGS="$small" >"$WORK/log" 2>&1 ||
    { cat "$WORK/log"; exit 1; }
expect '^validation ' # it found the images next to the training set
expect 'trained to step 3'
[ "$(stat -c %u:%g "$WORK/my out/checkpoint")" = "$(id -u):$(id -g)" ]
step 'trained, from a file:// archive, with validation images'

# Stop it as `docker stop` does, and resume
run docker-train STEPS=100000 ARGS="$small --progress_freq=1" >"$WORK/log" 2>&1 &
training=$!
for _ in $(seq 600); do ! grep -q 'step 2 ' "$WORK/log" || break; sleep 0.5; done
expect 'step 2 '
docker stop -t 60 "$(docker ps -q)" >/dev/null
wait $training
expect 'resuming from /out/model-3'
expect 'SIGTERM: finishing the step and saving'
expect 'saved in /out'
step 'stopped, saved'
run docker-export >"$WORK/log" 2>&1 || { cat "$WORK/log"; exit 1; }
expect 'wrote 9 images of 3 pairs'
run docker-evaluate ARGS=--seed=1 >"$WORK/log" 2>&1 || { cat "$WORK/log"; exit 1; }
expect '^L1 '
docker run --rm --user 1234:5678 -v "$WORK/my out:/out" pix2pix_tf pix2pix-plot --out=/out \
    >"$WORK/log" 2>&1 && { echo 'container: it wrote to the folder of another user'; exit 1; }
expect 'cannot write /out/curves.png'
docker run --rm -u "$(id -u)" -v "$WORK/my out:/out" pix2pix_tf pix2pix-plot --out=/out >/dev/null
[ -s "$WORK/my out/curves.png" ]
step 'exported, evaluated, plotted'
