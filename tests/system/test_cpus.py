"""How many cores a process may use: its affinity, and the quota of its container."""

import os

import pytest

from pix2pix_tf import dataset
from pix2pix_tf.config import Config
from pix2pix_tf.system import machine

V1 = {'cpu/cpu.cfs_quota_us': '{}\n', 'cpu/cpu.cfs_period_us': '100000\n'}


@pytest.fixture
def cores(monkeypatch):
    """A function that sets how many cores the affinity has."""

    def set_cores(count):
        affinity = set(range(count))
        monkeypatch.setattr(os, 'sched_getaffinity', lambda _: affinity, raising=False)

    set_cores(16)
    return set_cores


def write(folder, contents):
    for name, text in contents.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    'quota, expected',
    [
        ('max 100000', 16),
        ('150000 100000', 2),
        ('50000 100000', 1),
        ('400000 100000', 4),
        ('1000 100000', 1),
        ('3200000 100000', 16),
        ('', 16),
        ('nonsense', 16),
        ('100000 0', 16),
    ],
)
def test_the_quota_of_version_2_counts(tmp_path, cores, quota, expected):
    write(tmp_path, {'cpu.max': quota + '\n'})
    assert machine.cores(str(tmp_path)) == expected


@pytest.mark.parametrize(
    'quota, expected', [('-1', 16), ('200000', 2), ('250000', 3), ('50000', 1), ('nonsense', 16)]
)
def test_the_quota_of_version_1_counts(tmp_path, cores, quota, expected):
    write(tmp_path, {name: text.format(quota) for name, text in V1.items()})
    assert machine.cores(str(tmp_path)) == expected


def test_the_affinity_counts_if_it_is_narrower(tmp_path, cores):
    assert machine.cores(str(tmp_path / 'nowhere')) == 16
    cores(3)
    write(tmp_path, {'cpu.max': '1200000 100000\n'})
    assert machine.cores(str(tmp_path)) == 3


@pytest.mark.parametrize('count, expected', [(6, 6), (None, 1)])
def test_without_an_affinity_all_cores_count(tmp_path, monkeypatch, count, expected):
    monkeypatch.delattr(os, 'sched_getaffinity', raising=False)  # as on macOS
    monkeypatch.setattr(os, 'cpu_count', lambda: count)
    assert machine.cores(str(tmp_path / 'nowhere')) == expected
    write(tmp_path, {'cpu.max': '150000 100000\n'})
    assert machine.cores(str(tmp_path)) == min(expected, 2)


def test_readers_are_at_most_eight(monkeypatch):
    for available, readers in ((1, 1), (2, 2), (8, 8), (64, 8)):
        monkeypatch.setattr(machine, 'cores', lambda available=available: available)
        assert dataset.reader_threads(Config()) == readers
    assert dataset.reader_threads(Config(num_threads=12)) == 12
    assert dataset.reader_threads(Config(seed=1)) == 1


@pytest.mark.parametrize(
    'flags, expected',
    [('fpu avx512f', False), ('avx512f avx512_bf16', True), ('amx_bf16 amx_tile', True)],
)
def test_bfloat16_is_a_flag_of_the_cpu(tmp_path, flags, expected):
    cpuinfo = tmp_path / 'cpuinfo'
    cpuinfo.write_text(f'model name\t: avx512_bf16 inside\nflags\t\t: {flags}\n')
    assert machine.has_bfloat16(str(cpuinfo)) == expected
    assert not machine.has_bfloat16(str(tmp_path / 'none'))
