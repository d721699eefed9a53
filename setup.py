"""Packaging of pix2pix_tf: which TensorFlow a Python gets, and what it needs beside it."""

from setuptools import find_packages, setup

# TensorFlow 1.15 imports without a word only beside the protobuf, numpy and h5py of its day.
TF1 = "python_version < '3.8'"
TF2 = "python_version >= '3.8'"

with open('README.md', encoding='utf-8') as readme:
    long_description = readme.read()

setup(
    name='pix2pix-tf',
    version='0.1.0',
    description='pix2pix image-to-image translation as a TensorFlow 1.x graph',
    long_description=long_description,
    long_description_content_type='text/markdown',
    license='MIT',
    packages=find_packages(include=['pix2pix_tf']),
    scripts=['bin/pix2pix-data', 'bin/pix2pix-demo', 'bin/pix2pix-export', 'bin/pix2pix-train'],
    python_requires='>=3.6',
    install_requires=[
        'absl-py>=1.0',
        'pillow>=8.4',
        'tqdm>=4.60',
        'tensorflow-gpu==1.15.*; ' + TF1,
        'protobuf>=3.19,<3.21; ' + TF1,
        'numpy==1.16.*; ' + TF1,
        'h5py==2.10.*; ' + TF1,
        'tensorflow>=2.10; ' + TF2,
        'numpy; ' + TF2,
    ],
    extras_require={'test': ['pytest']},
)
