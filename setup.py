"""Packaging of pix2pix_tf: the TensorFlow for each Python, and what it needs next to it."""

import os
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


# Those of pix2pix_tf/cli/main.py
COMMANDS = (
    *('train', 'export', 'evaluate', 'predict', 'convert', 'serve', 'page'),
    *('plot', 'data', 'demo', 'pairs'),
)

ONNX = ["onnx>=1.14; python_version >= '3.7'", 'onnxruntime>=1.16; ' + TF2]
# With TensorFlow, as the package itself; `make draw` installs these without it
DRAW = ['onnxruntime>=1.16; ' + TF2]
SERVE = ['werkzeug>=2.0', 'waitress>=2.0', 'prometheus-client>=0.14']
PLOT = ['matplotlib>=3.3']
NOTEBOOK = ['nbclient; ' + TF2, 'ipykernel; ' + TF2]
# CUDA as wheels; TensorFlow 1.15 and 2.13, that of Python 3.8, have no such extra
GPU = ["tensorflow[and-cuda]>=2.14; python_version >= '3.9' and sys_platform == 'linux'"]


def read(path):
    with open(path, encoding='utf-8') as file:
        return file.read()


def repository():
    """The address of the repository: of the workflow that builds, or in CITATION.cff, or None.

    A clone has it once the repository has an address; the image of the Dockerfile lacks the file.
    """
    if 'GITHUB_REPOSITORY' in os.environ:
        return f'{os.environ["GITHUB_SERVER_URL"]}/{os.environ["GITHUB_REPOSITORY"]}'
    found = os.path.exists('CITATION.cff') and re.search(
        r"(?m)^repository-code: *['\"]?(https://[^'\"\s]+?)/?['\"]?$", read('CITATION.cff')
    )
    return found.group(1) if found else None


def with_absolute_links(page, address):
    """A Markdown page whose pictures and links lead to the repository, as a package index needs."""
    link = r'\]\((?!https?:|mailto:|#)([^)\s]+)\)'
    page = re.sub('(!\\[[^]]*)' + link, rf'\1]({address}/raw/main/\2)', page)
    page = re.sub('src="(?!https?:)', f'src="{address}/raw/main/', page)
    return re.sub(link, rf']({address}/blob/main/\1)', page)


URL = repository()
README = read('README.md')

setup(
    name='pix2pix-tf',
    version=re.search(r"__version__ = '(.*)'", read('pix2pix_tf/__init__.py')).group(1),
    description='pix2pix image-to-image translation as a graph, in TensorFlow 1.15 and 2.x',
    long_description=with_absolute_links(README, URL) if URL else README,
    long_description_content_type='text/markdown',
    author='The pix2pix_tf authors',
    license='MIT',
    url=URL,
    project_urls={
        name: f'{URL}/blob/main/{path}'
        for name, path in (('Documentation', 'docs/README.md'), ('Changelog', 'CHANGELOG.md'))
        if URL
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        *(
            f'Programming Language :: Python :: {version}'
            for version in ('3', '3.6', '3.7', '3.10', '3.11', '3.12', '3.13')
        ),
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    packages=find_packages(include=['pix2pix_tf', 'pix2pix_tf.*']),
    package_data={
        'pix2pix_tf': ['py.typed', 'models/*'],
        'pix2pix_tf.evaluation': ['templates/*.html'],
        'pix2pix_tf.pairs': ['templates/*.html'],
        'pix2pix_tf.serve': ['page/*'],
    },
    entry_points={
        'console_scripts': [f'pix2pix-{name} = pix2pix_tf.cli.main:{name}' for name in COMMANDS]
    },
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
        'draw': [*DRAW, *SERVE],
        'gpu': GPU,
        'onnx': ONNX,
        'serve': SERVE,
        'plot': PLOT,
        'pairs': OPENCV,
        'test': [
            *OPENCV,
            *ONNX,
            *SERVE,
            *PLOT,
            *NOTEBOOK,
            'pytest',
            'pytest-timeout',
            'pytest-xdist',
        ],
    },
)
