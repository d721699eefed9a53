"""Explanations of TensorFlow's errors, and the memory of a process that imports the package."""

import sys
from dataclasses import replace

import pytest
import tensorflow.compat.v1 as tf
from support.helpers import run_process, write_cut_off, write_pair

from pix2pix_tf import dataset, diagnosis, training
from pix2pix_tf.monitoring import csv_log
from pix2pix_tf.system import machine
from pix2pix_tf.system.errors import DataError, Pix2PixError


@pytest.fixture
def decoders(monkeypatch):
    """The decoders that are built to search for a bad file."""
    original, built = dataset.decode_image, []

    def spy(contents):
        built.append(contents)
        return original(contents)

    monkeypatch.setattr(dataset, 'decode_image', spy)
    return built


@pytest.fixture
def folder(tmp_path):
    """Two files, the second of which cannot be decoded."""
    write_pair(tmp_path / '1.jpg')
    write_cut_off(tmp_path / '2.jpg')
    return [str(tmp_path / name) for name in ('1.jpg', '2.jpg')]


@pytest.mark.parametrize(
    'kind',
    [
        tf.errors.UnknownError,
        tf.errors.InternalError,
        tf.errors.UnavailableError,
        tf.errors.FailedPreconditionError,
        tf.errors.NotFoundError,
        tf.errors.ResourceExhaustedError,
    ],
)
def test_other_errors_do_not_start_a_search_for_a_bad_file(folder, decoders, kind):
    error = kind(None, None, 'something else')
    explained = diagnosis.explain(error, folder)
    assert decoders == []
    if kind is tf.errors.ResourceExhaustedError:
        assert 'out of memory' in str(explained)
    else:
        assert explained is None
        with pytest.raises(kind):
            diagnosis.raise_explained(error, folder)


def test_after_an_error_of_a_decoder_the_bad_file_is_found(folder, decoders):
    error = tf.errors.InvalidArgumentError(None, None, 'Invalid JPEG data')
    explained = diagnosis.explain(error, folder)
    assert len(decoders) == 1
    assert isinstance(explained, DataError)
    assert str(explained).startswith(f'{folder[1]} cannot be decoded (')
    assert diagnosis.explain(error, folder[:1]) is None


@pytest.mark.parametrize('failed', ['x.jpg', 'x.jpg.png'])
def test_a_file_is_not_blamed_for_one_whose_name_starts_with_its_own(decoders, failed):
    paths = ['/data/x.jpg', '/data/x.jpg.png', '/data/y.jpg']
    error = tf.errors.NotFoundError(None, None, f'/data/{failed}; No such file or directory')
    for order in (paths, paths[::-1]):
        assert str(diagnosis.explain(error, order)).startswith(f'cannot read /data/{failed}: ')
    assert decoders == []


def test_a_full_disk_is_explained_for_any_type_of_error(folder, decoders):
    error = tf.errors.InvalidArgumentError(None, None, f'{folder[0]}: No space left on device')
    explained = diagnosis.explain(error, folder)
    assert type(explained) is Pix2PixError and 'the disk is full' in str(explained)
    assert decoders == []


def test_memory_is_trimmed_at_a_fixed_interval(pairs, tmp_path, narrow, monkeypatch):
    trimmed, steps = [], []
    monkeypatch.setattr(training, 'TRIM_FREQ', 2)
    monkeypatch.setattr(machine, 'trim', lambda: trimmed.append(len(steps)))
    original = training.check_finite
    monkeypatch.setattr(
        training, 'check_finite', lambda step, *rest: steps.append(original(step, *rest))
    )
    config = replace(narrow, progress_freq=0, summary_freq=5, max_steps=5)
    training.train(pairs, str(tmp_path), config)
    assert len(steps) == 5 and trimmed == [2, 4]
    assert [row['step'] for row in csv_log.load(str(tmp_path))] == [5]


LIBRARY = """
import ctypes
from pix2pix_tf.system import compat

def resident():  # in MiB
    with open('/proc/self/status') as status:
        return [int(line.split()[1]) for line in status if line.startswith('RssAnon')][0] / 1024

def kept():
    before = resident()
    block = ctypes.c_void_p(libc.malloc(64 << 20))
    ctypes.memset(block, 1, 64 << 20)
    libc.free(block)
    return resident() - before

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
before = kept()
compat.use_graph_mode()
print(before, kept())
"""


def test_a_library_user_gets_the_allocator_settings():
    result = run_process(sys.executable, '-c', LIBRARY)
    assert result.returncode == 0, result.stderr
    before, after = map(float, result.stdout.splitlines()[-1].split())
    assert before < 10 and after > 50
