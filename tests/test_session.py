"""The switches for GPUs, as a CPU runs them, and GPUs that are too new."""

import os
from dataclasses import replace

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support.helpers import error_line, read_checkpoint, run_command, run_real_command

from pix2pix_tf import session, training
from pix2pix_tf.model import build_model
from pix2pix_tf.monitoring import csv_log
from pix2pix_tf.system.errors import Pix2PixError

STEPS = 3

pytestmark = pytest.mark.usefixtures('optimized')


@pytest.fixture(scope='module')
def plain_losses(optimized, pairs, narrow, tmp_path_factory):
    return losses_of(pairs, str(tmp_path_factory.mktemp('plain')), narrow)


def losses_of(pairs, out, config):
    training.train(pairs, out, replace(config, max_steps=STEPS, summary_freq=1))
    rows = recorded(out)
    assert len(rows) == STEPS
    return rows


def recorded(out):
    rows = csv_log.load(out)
    return [
        [float(row[name]) for name in ('losses/discrim_loss', 'losses/gen_loss_L1')] for row in rows
    ]


def narrow_flags(narrow, pairs, out):
    """What `losses_of` gives as options."""
    flags = [f'--{name}={getattr(narrow, name)}' for name in ('ngf', 'ndf', 'seed')]
    return [f'--data={pairs}', f'--out={out}', '--summary_freq=1', *flags]


def test_by_default_the_session_is_tensorflows_own(narrow):
    assert session.session_config(narrow) == tf.ConfigProto()


def test_switches_change_nothing_on_a_cpu(pairs, narrow, tmp_path, plain_losses, monkeypatch):
    monkeypatch.setattr(session, 'precision', lambda config: 'float16')  # which a CPU ignores
    switches = {'mixed_precision': True, 'memory_growth': True}
    for switch in switches:
        assert session.session_config(replace(narrow, **{switch: True})) != tf.ConfigProto()
    losses = losses_of(pairs, str(tmp_path), replace(narrow, **switches))
    # Scaling gradients by a power of 2 and back loses nothing, but for the smallest of all
    np.testing.assert_allclose(losses, plain_losses, rtol=1e-4)


@pytest.fixture
def bfloat16(monkeypatch):
    """A CPU that has it, and a runtime that uses it."""
    if not hasattr(tf.ConfigProto().graph_options.rewrite_options, session._BFLOAT16_REWRITE):
        pytest.skip('this TensorFlow has no bfloat16 on CPUs')
    if not session.machine.has_bfloat16():
        pytest.skip('this CPU has no bfloat16')


def test_a_cpu_takes_bfloat16(bfloat16, pairs, narrow, tmp_path, plain_losses, capsys):
    mixed = losses_of(pairs, str(tmp_path), replace(narrow, mixed_precision=True))
    assert (
        'mixed precision: bfloat16 where it is safe, float32 elsewhere' in capsys.readouterr().out
    )
    assert mixed != plain_losses  # it has 8 bits instead of 24
    np.testing.assert_allclose(mixed, plain_losses, rtol=0.03)
    assert {v.dtype.name for v in read_checkpoint(tmp_path).values()} == {'float32', 'int64'}


def test_mixed_precision_says_what_it_does_here(narrow, monkeypatch, tmp_path):
    config = replace(narrow, mixed_precision=True)
    assert session.describe_precision(narrow) == ''
    monkeypatch.setattr(session.compat, 'has_gpu', lambda: True)
    assert session.describe_precision(config).startswith('mixed precision: float16')
    assert session.session_config(config).graph_options.rewrite_options.auto_mixed_precision == 1
    monkeypatch.setattr(session.compat, 'has_gpu', lambda: False)
    monkeypatch.setattr(session.machine, 'has_bfloat16', lambda: False)
    lines = []
    session.prepare(config, lines.append)
    assert lines == [session.describe_precision(config)]
    assert lines[0].startswith('mixed_precision has no effect: it needs a GPU')
    assert session.session_config(config) == tf.ConfigProto()


def test_deterministic_ops_change_nothing_on_a_cpu(pairs, narrow, tmp_path):
    # In processes of their own, since TensorFlow is told once, before its first op
    runs = []
    for name, switch in (('plain', []), ('deterministic', ['--deterministic_ops'])):
        out = str(tmp_path / name)
        flags = [*narrow_flags(narrow, pairs, out), *switch, f'--max_steps={STEPS}']
        result = run_command('train', *flags)
        assert result.returncode == 0, result.stderr
        runs.append(recorded(out))
    assert runs[0] == runs[1] and len(runs[0]) == STEPS


def test_deterministic_ops_reach_tensorflow(narrow, monkeypatch):
    for name in ('TF_CUDNN_DETERMINISTIC', 'TF_DETERMINISTIC_OPS'):
        monkeypatch.setenv(name, '0')  # so that it is put back afterwards
    session.prepare(replace(narrow, deterministic_ops=True), print)
    assert os.environ['TF_CUDNN_DETERMINISTIC'] == os.environ['TF_DETERMINISTIC_OPS'] == '1'


def test_deterministic_ops_without_a_seed_are_refused(pairs, tmp_path):
    result = run_command('train', f'--data={pairs}', f'--out={tmp_path}', '--deterministic_ops')
    assert '--seed' in error_line(result, 2)


@pytest.mark.slow
def test_xla_compiles_the_step(pairs, narrow, tmp_path, plain_losses):
    # On a CPU, XLA compiles only if TensorFlow is asked for it a second time, when it loads.
    environment = {'TF_XLA_FLAGS': '--tf_xla_cpu_global_jit', 'TF_CPP_MIN_LOG_LEVEL': '0'}
    environment['XLA_FLAGS'] = '--xla_backend_optimization_level=0'  # compiling is what takes long
    flags = [*narrow_flags(narrow, pairs, tmp_path), '--xla', '--max_steps=1']
    result = run_real_command('train', *flags, environment=environment)
    assert result.returncode == 0, result.stderr
    assert 'Compiled cluster using XLA' in result.stderr
    np.testing.assert_allclose(recorded(str(tmp_path)), plain_losses[:1], rtol=0.02)


def test_gradients_are_what_they_are_without_mixed_precision(narrow, monkeypatch):
    """The loss is scaled for float16, and the gradients are scaled back."""
    gradients = []
    monkeypatch.setattr(session.compat, 'has_gpu', lambda: True)
    for mixed in (False, True):
        config = replace(narrow, mixed_precision=mixed, dropout=0.0)
        with tf.Graph().as_default(), tf.Session() as sess:
            tf.set_random_seed(1)
            images = tf.random.stateless_uniform([2, 1, 256, 256, 3], [1, 2], minval=-1)
            model = build_model(images[0], images[1], config)
            sess.run(tf.global_variables_initializer())
            gradients.append(sess.run(model.gradients))
    for name, gradient in gradients[0].items():
        np.testing.assert_allclose(gradients[1][name], gradient, rtol=1e-4, atol=1e-7)


@pytest.fixture
def ampere(monkeypatch):
    """A GPU of compute capability 8.0 and a build for CUDA 10; the CPU stands in for the GPU."""
    monkeypatch.setattr(session, '_compute_capabilities', lambda proto: [7.5, 8.0])
    monkeypatch.setattr(session, '_is_built_for_cuda_10', lambda: True)
    convolve = session._convolve
    monkeypatch.setattr(session, '_convolve', lambda device, proto: convolve('/cpu:0', proto))


def test_a_new_gpu_that_computes_rightly_is_warned_of(ampere, narrow):
    lines = []
    session.prepare(narrow, lines.append)
    assert len(lines) == 1
    assert 'compute capability 8.0' in lines[0]


def test_a_new_gpu_that_computes_wrongly_stops_the_run(
    ampere, narrow, monkeypatch, pairs, tmp_path
):
    convolve = session._convolve
    monkeypatch.setattr(
        session, '_convolve', lambda device, proto: convolve(device, proto) * (device == '/cpu:0')
    )
    with pytest.raises(Pix2PixError, match='off by 100%.*use TensorFlow 2.x'):
        training.train(pairs, str(tmp_path / 'out'), replace(narrow, max_steps=1))
    assert not [name for name in os.listdir(str(tmp_path / 'out')) if name.startswith('model')]


@pytest.mark.parametrize('capabilities, cuda_10', [([7.5], True), ([9.0], False), ([], True)])
def test_other_gpus_are_taken_as_they_are(capabilities, cuda_10, narrow, monkeypatch):
    monkeypatch.setattr(session, '_compute_capabilities', lambda proto: capabilities)
    monkeypatch.setattr(session, '_is_built_for_cuda_10', lambda: cuda_10)
    monkeypatch.setattr(session, '_convolve', None)
    session.prepare(narrow, None)


def test_the_build_is_known(narrow):
    assert session._is_built_for_cuda_10() == tf.__version__.startswith('1.15')
    assert session._compute_capabilities(session.session_config(narrow)) == []


def test_xla_says_that_it_does_nothing_on_a_cpu(narrow):
    lines = []
    session.prepare(replace(narrow, xla=True), lines.append)
    assert lines == ['xla has no effect: it needs a GPU']


def test_deterministic_ops_export_the_same(pairs, trained, tmp_path):
    flags = [f'--data={pairs}', f'--checkpoint={trained}', '--seed=1']
    reports = []
    for switch in ([], ['--deterministic_ops']):
        out = tmp_path / f'out{len(switch)}'
        result = run_command('evaluate', f'--out={out}', *flags, *switch)
        assert (result.returncode, result.stderr) == (0, '')
        reports.append((out / 'metrics.csv').read_text())
    assert reports[0] == reports[1]
