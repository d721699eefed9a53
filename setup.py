"""Packaging of pix2pix_tf: which TensorFlow a Python gets, and what it needs beside it."""

from setuptools import find_packages, setup

# TensorFlow 1.15 imports without a word only beside the protobuf, numpy and h5py of its day.
TF1 = "python_version < '3.8'"
TF2 = "python_version >= '3.8'"

COMMANDS = ('data', 'demo', 'evaluate', 'export', 'plot', 'train')

with open('README.md', encoding='utf-8') as readme:
    long_description = readme.read()

setup(
    name='pix2pix-tf',
    version='0.1.0',
    description='pix2pix image-to-image translation as a TensorFlow 1.x graph',
    long_description=long_description,
    long_description_content_type='text/markdown',
    license='MIT',
    packages=find_packages(include=['pix2pix_tf', 'pix2pix_tf.*']),
    package_data={'pix2pix_tf.evaluation': ['templates/*.html']},
    scripts=[f'bin/pix2pix-{name}' for name in COMMANDS],
    python_requires='>=3.6',
    install_requires=[
        'absl-py>=1.0',
        'jinja2>=3.0',
        'pillow>=8.4',
        'tqdm>=4.60',
        'tensorflow-gpu==1.15.*; ' + TF1,
        'protobuf>=3.19,<3.21; ' + TF1,
        'numpy==1.16.*; ' + TF1,
        'h5py==2.10.*; ' + TF1,
        'tensorboard; ' + TF2,
        'tensorflow>=2.10; ' + TF2,
        'numpy; ' + TF2,
    ],
    extras_require={'plot': ['matplotlib>=3.3'], 'test': ['pytest', 'matplotlib>=3.3']},
)
