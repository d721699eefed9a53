# CUDA 10.0, cuDNN 7, Python 3.6 and TensorFlow 1.15, for GPUs up to Turing (compute capability 7.5).
# For Ampere and later: --build-arg BASE=nvcr.io/nvidia/tensorflow:23.03-tf1-py3
ARG BASE=tensorflow/tensorflow:1.15.0-gpu-py3
FROM ${BASE}

# TensorFlow and numpy come from the base; only what it lacks is installed.
WORKDIR /opt/pix2pix_tf
COPY requirements/docker.txt requirements/
# The base's own pip is too old for the wheels; 21.3.1 is the last for Python 3.6
RUN python3 -m pip install --no-cache-dir pip==21.3.1 \
    && python3 -m pip install --no-cache-dir --no-deps -r requirements/docker.txt

COPY setup.py README.md ./
COPY pix2pix_tf pix2pix_tf
# In another folder, so that the installed package is tried
RUN python3 -m pip install --no-cache-dir --no-deps --no-build-isolation . \
    && cd / && pix2pix-train --help >/dev/null \
    && python3 -c 'import pix2pix_tf.training, pix2pix_tf.monitoring.plot'

# Not root. With `docker run --user`, the files in the volumes belong to the caller.
RUN useradd pix2pix && mkdir -p /data /out && chmod 1777 /data /out
USER pix2pix
WORKDIR /out
VOLUME ["/data", "/out"]

CMD ["pix2pix-train", "--data=/data/facades/train", "--out=/out"]
