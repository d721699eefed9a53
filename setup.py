"""Packaging of pix2pix_tf: the TensorFlow for each Python, and what it needs next to it."""

import glob
import re

from setuptools import find_packages, setup

# TensorFlow 1.15 imports without warnings only with the protobuf, numpy and h5py of its time.
TF1 = "python_version < '3.8'"
TF2 = "python_version >= '3.8'"

# 4.6 is the last that works with the numpy of TensorFlow 1.15, and the last for Python 3.6.
OPENCV = [
    'opencv-python-headless>=4.5.5,<4.7; ' + TF1,
    'opencv-python-headless>=4.6; ' + TF2,
]


ONNX = ["onnx>=1.14; python_version >= '3.7'", 'onnxruntime>=1.16; ' + TF2]
SERVE = ['werkzeug>=2.0', 'waitress>=2.0', 'prometheus-client>=0.14']
PLOT = ['matplotlib>=3.3']


def read(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


setup(
    name='pix2pix-tf',
    version=re.search(r"__version__ = '(.*)'", read('pix2pix_tf/__init__.py')).group(1),
    description='pix2pix image-to-image translation as a graph, in TensorFlow 1.15 and 2.x',
    long_description=read('README.md'),
    long_description_content_type='text/markdown',
    license='MIT',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'License :: OSI Approved :: MIT License',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    packages=find_packages(include=['pix2pix_tf', 'pix2pix_tf.*']),
    package_data={
        'pix2pix_tf': ['py.typed'],
        'pix2pix_tf.evaluation': ['templates/*.html'],
        'pix2pix_tf.pairs': ['templates/*.html'],
        'pix2pix_tf.serve': ['page/*'],
    },
    scripts=sorted(glob.glob('bin/pix2pix-*')),
    python_requires='>=3.6',
    install_requires=[
        'absl-py>=1.0',
        "dataclasses>=0.8; python_version < '3.7'",
        'jinja2>=3.0',
        'pillow>=8.4; ' + TF1,
        'pillow>=10.3; ' + TF2,  # older ones have known vulnerabilities in their decoders
        'tqdm>=4.60',
        'tensorflow-gpu==1.15.*; ' + TF1,
        'protobuf>=3.19,<3.21; ' + TF1,
        'numpy==1.16.*; ' + TF1,
        'h5py==2.10.*; ' + TF1,
        'tensorboard; ' + TF2,
        'tensorflow>=2.10; ' + TF2,
        'numpy; ' + TF2,
    ],
    extras_require={
        'onnx': ONNX,
        'serve': SERVE,
        'plot': PLOT,
        'pairs': OPENCV,
        'test': [*OPENCV, *ONNX, *SERVE, *PLOT, 'pytest', 'pytest-timeout', 'pytest-xdist'],
    },
)
