"""Shards of exports, evaluations and predictions, joined."""

import json
import os
import shutil

import numpy as np
import pytest
from support.feature_networks import write_frozen_graph
from support.helpers import contents, error_line, run_command

from pix2pix_tf.system import shard
from pix2pix_tf.system.errors import UsageError
from pix2pix_tf.system.shard import Shard


def results(out):
    return contents(out), contents(os.path.join(out, 'images'))


@pytest.fixture(scope='module')
def network(graph_mode, tmp_path_factory):
    return write_frozen_graph(tmp_path_factory.mktemp('network') / 'network.pb')


def test_joined_shards_of_an_export_equal_a_single_process(trained, pairs, tmp_path, network):
    colors = tmp_path / 'colors.txt'
    colors.write_text('#ff0000 red\n#00ff00 green\n#0000ff blue\n#ffffff\n#000000')
    flags = [f'--data={pairs}', '--seed=1', '--samples=2', f'--features={network}']
    flags.append(f'--labels={colors}')
    for out in ('whole', 'parts'):
        shutil.copytree(trained, str(tmp_path / out))
    # In one folder after the other, so that the path of the checkpoint is the same
    out = tmp_path / 'out'
    (tmp_path / 'whole').rename(out)
    assert run_command('export', f'--out={out}', *flags).returncode == 0
    whole = results(str(out))
    out.rename(tmp_path / 'whole')
    (tmp_path / 'parts').rename(out)
    for part in ('2/3', '1/3', '3/3'):
        result = run_command('export', f'--out={out}', f'--shard={part}', *flags)
        assert (result.returncode, result.stderr) == (0, '')
    (out / 'shard-2-of-3.npz').rename(tmp_path / 'forgotten.npz')
    line = error_line(run_command('evaluate', f'--out={out}', '--join'), 1)
    assert f'{out}/shard-2-of-3.npz is missing: make it with --shard 2/3' in line
    for damaged in (b'PK', b''):
        (out / 'shard-2-of-3.npz').write_bytes(damaged)
        line = error_line(run_command('evaluate', f'--out={out}', '--join'), 1)
        assert f'cannot use {out}/shard-2-of-3.npz: ' in line
    (tmp_path / 'forgotten.npz').rename(out / 'shard-2-of-3.npz')
    assert not (out / 'index.html').exists() and not (out / 'metrics.json').exists()
    joined = run_command('evaluate', f'--out={out}', '--join')
    assert (joined.returncode, joined.stderr) == (0, '')
    assert (
        'FID' in joined.stdout
        and 'class IoU' in joined.stdout
        and f'joined 5 pairs in {out}; open {out}/index.html' in joined.stdout
    )
    assert results(str(out)) == whole
    assert (
        b'<span class="color" style="background: #ff0000"></span> red</td>'
        in whole[0]['index.html']
    )
    labels = json.loads(whole[0]['metrics.json'].decode())['labels']
    assert [row['name'] for row in labels['classes']][:2] == ['red', 'green']
    assert np.sum(labels['confusion']) == 5 * 256 * 256


def test_shards_of_an_evaluation_join_only_if_they_fit(trained, pairs, tmp_path):
    out = tmp_path / 'out'
    shutil.copytree(trained, str(out))
    flags = [f'--data={pairs}', f'--out={out}', '--seed=1']
    line = error_line(run_command('evaluate', f'--out={out}', '--join'), 1)
    assert f'no parts in {out}' in line
    assert run_command('evaluate', '--shard=1/2', *flags).returncode == 0
    line = error_line(run_command('evaluate', f'--out={out}', '--join'), 1)
    assert f'{out}/shard-2-of-2.json is missing: make it with --shard 2/2' in line
    assert run_command('evaluate', '--shard=2/2', *flags, '--seed=2').returncode == 0
    line = error_line(run_command('evaluate', f'--out={out}', '--join'), 1)
    assert f'shard-2-of-2.json in {out} differs from the first in seed (2 and 1)' in line
    assert run_command('evaluate', '--shard=2/2', *flags, '--direction=AtoB').returncode == 0
    line = error_line(run_command('evaluate', f'--out={out}', '--join'), 1)
    assert f'shard-2-of-2.json in {out} differs from the first in direction (AtoB and BtoA)' in line
    colors = tmp_path / 'colors.txt'
    colors.write_text('#ff0000\n#0000ff')
    result = run_command('evaluate', '--shard=2/2', f'--labels={colors}', *flags)
    assert result.returncode == 0
    line = error_line(run_command('evaluate', f'--out={out}', '--join'), 1)
    assert f'shard-2-of-2.json in {out} differs from the first in labels' in line
    assert run_command('evaluate', '--shard=2/2', *flags).returncode == 0
    assert run_command('evaluate', f'--out={out}', '--join').returncode == 0
    joined = contents(out)
    assert [name for name in joined if name.startswith('shard')] == []
    assert not (out / 'index.html').exists()
    assert run_command('evaluate', *flags).returncode == 0
    assert contents(out) == joined
    assert len(json.loads(joined['metrics.json'].decode())['images']) == 5
    line = error_line(run_command('evaluate', f'--out={out}', '--join', '--shard=1/2'), 2)
    assert '--shard cannot be used with --join' in line
    (out / 'shard-a-of-b.json').write_bytes(b'')
    (out / 'shard-1-of-2.json').write_bytes(b'{"source": 1}')
    line = error_line(run_command('evaluate', f'--out={out}', '--join'), 1)
    assert f'cannot use {out}/shard-1-of-2.json: it is not a part' in line
    (out / 'shard-1-of-3.json').write_bytes(b'')
    line = error_line(run_command('evaluate', f'--out={out}', '--join'), 1)
    assert 'has parts of 2 and 3' in line


def test_shards_of_a_changed_folder_are_not_joined(trained, pairs, tmp_path):
    out, data = tmp_path / 'out', tmp_path / 'data'
    shutil.copytree(trained, str(out))
    shutil.copytree(pairs, str(data))
    flags = [f'--data={data}', f'--out={out}', '--seed=1']
    assert run_command('evaluate', '--shard=1/2', *flags).returncode == 0
    (data / '1.jpg').rename(data / '11.jpg')
    assert run_command('evaluate', '--shard=2/2', *flags).returncode == 0
    line = error_line(run_command('evaluate', f'--out={out}', '--join'), 1)
    assert f'shard-2-of-2.json in {out} differs from the first in pairs' in line


def test_shards_of_a_prediction_equal_a_single_process(trained, pairs, tmp_path):
    for part in (None, '1/2', '2/2'):
        to = tmp_path / ('parts' if part else 'whole')
        flags = [f'--model={trained}', f'--to={to}', '--seed=1', pairs]
        result = run_command('predict', *flags, *([f'--shard={part}'] if part else []))
        assert result.returncode == 0, result.stderr
    whole = contents(tmp_path / 'whole')
    del whole['index.html']
    assert contents(tmp_path / 'parts') == whole and len(whole) == 5


@pytest.mark.parametrize('words', ['2', '0/2', '3/2', 'a/b', '1/0', '1/2/3', '-1/2'])
def test_invalid_shards_are_rejected(words):
    with pytest.raises(UsageError) as error:
        shard.parse(words)
    assert f'`shard` is {words}: it must be like 2/3' in str(error.value)
    assert shard.parse('2/3') == Shard(2, 3) and shard.parse(None) == Shard(1, 1)


def test_more_shards_than_pairs_are_rejected(trained, pairs, tmp_path):
    flags = [f'--data={pairs}', f'--out={trained}', '--shard=6/6']
    assert 'has only 5 pairs' in error_line(run_command('evaluate', *flags), 2)
