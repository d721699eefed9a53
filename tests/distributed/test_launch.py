"""What --workers, --task and TF_CONFIG say, and what a worker of this machine gets."""

import json
import os

import pytest

from pix2pix_tf.distributed import launch
from pix2pix_tf.distributed.peers import Cluster
from pix2pix_tf.system.errors import UsageError


def test_how_the_flags_describe_a_cluster():
    assert launch.parse(None, None) == 1
    assert launch.parse('3', None) == 3
    assert launch.parse('a:1, b:2', 1) == Cluster(('a:1', 'b:2'), 1)
    assert launch.parse('[::1]:7,b:2', 0).workers[0] == '[::1]:7'
    assert launch.parse('a:1,a:3,b:2', 0).workers == ('a:1', 'a:3', 'b:2')
    chief = {'cluster': {'chief': ['c:1'], 'worker': ['a:1', 'b:1']}}
    for kind, index, task in (('chief', 0, 0), ('worker', 0, 1), ('worker', 1, 2)):
        config = json.dumps(dict(chief, task={'type': kind, 'index': index}))
        assert launch.parse(None, None, config) == Cluster(('c:1', 'a:1', 'b:1'), task)
        assert launch.parse('x:1,y:1', 0, config).workers == ('x:1', 'y:1')
    alone = json.dumps({'cluster': {'worker': ['a:1']}, 'task': {'type': 'worker', 'index': 0}})
    assert launch.parse(None, None, alone) == 1
    assert launch.parse(None, None, '{}') == 1


@pytest.mark.parametrize(
    'given, task, words',
    [
        ('0', None, '`workers` is 0'),
        ('²', None, "'²': it must be host:port"),
        ('2', 1, '`task` needs addresses'),
        (None, 0, '`task` needs `workers`'),
        ('a:1,b', 0, "'b': it must be host:port"),
        ('a:1,b:x', 0, "'b:x'"),
        ('a:1,b:65535', 0, 'below 65535'),
        ('a:1,b..c:1', 0, "'b..c:1': it must be host:port"),
        ('a:1,a:1', 0, 'the same address twice'),
        (
            'a:1,a:2',
            0,
            'has a:1 and a:2: a worker uses its port and the next, so both would use 2;',
        ),
        (
            'a:3,b:3,a:2',
            0,
            'has a:3 and a:2: a worker uses its port and the next, so both would use 3',
        ),
        ('a.org:1,A.org.:1', 0, 'both would use 1'),
        ('127.0.0.1:1,127.0.0.2:2', 0, 'both would use 2'),
        ('[::1]:1,127.0.0.1:2', 0, 'both would use 2'),
        ('[::ffff:10.0.0.1]:1,10.0.0.1:2', 0, 'both would use 2'),
        ('[fe80::1]:1,[FE80:0::1]:2', 0, 'both would use 2'),
        ('localhost:1,127.0.0.1:2', 0, 'both would use 2'),
        ('a:1,b:1', None, '`task` says which'),
        ('a:1,b:1', 2, '`task` is 2: it must be from 0 to 1'),
    ],
)
def test_flags_that_describe_no_cluster(given, task, words):
    with pytest.raises(UsageError) as error:
        launch.parse(given, task)
    assert words in str(error.value)


@pytest.mark.parametrize(
    'text', ['{', '[]', '{"cluster": {"ps": ["a:1"], "worker": ["b:1"]}}', '[' * 100000]
)
def test_a_tf_config_that_cannot_be_used(text):
    with pytest.raises(UsageError) as error:
        launch.parse(None, None, text)
    assert 'TF_CONFIG' in str(error.value)


def test_each_worker_has_a_gpu_or_its_part_of_the_cores(tmp_path, monkeypatch):
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    for name in ('nvidia0', 'nvidia1', 'nvidiactl', 'nvidia-uvm'):
        (tmp_path / name).write_bytes(b'')
    with pytest.raises(UsageError) as error:
        launch.start_here(3, str(tmp_path))
    assert '`workers` is 3, but there are only 2 GPUs' in str(error.value)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1, 2, 3, 4})
    assert launch._share_cores(2) == [{0, 2, 4}, {1, 3}]
    assert launch._share_cores(6)[5] == {0}


def test_more_workers_than_ports_are_refused(monkeypatch):
    monkeypatch.setattr(launch, '_PORTS', range(20000, 20010, 2))
    with pytest.raises(UsageError) as error:
        launch.free_addresses(6)
    assert '`workers` is 6: there are only' in str(error.value)
