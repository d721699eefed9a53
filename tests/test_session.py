"""The switches of a session, on a CPU, and GPUs for which TensorFlow has no kernels."""

import os
import re
from dataclasses import replace

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from support.helpers import ROOT, error_line, read_checkpoint, run_command, run_real_command

from pix2pix_tf import session, training
from pix2pix_tf.monitoring import csv_log

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
    """The flags for a training by a command as `losses_of` runs it."""
    flags = [f'--{name}={getattr(narrow, name)}' for name in ('ngf', 'ndf', 'seed')]
    return [f'--data={pairs}', f'--out={out}', '--summary_freq=1', *flags]


@pytest.mark.parametrize('gpu', [False, True])
def test_the_default_session_is_that_of_tensorflow(narrow, gpu, monkeypatch):
    """With one pass of its graph optimizer instead of two on a CPU."""
    monkeypatch.setattr(session.compat, 'has_gpu', lambda: gpu)
    proto = tf.ConfigProto()
    if not gpu:
        rewrites = proto.graph_options.rewrite_options
        rewrites.meta_optimizer_iterations = rewrites.ONE
    assert session.session_config(narrow) == proto


def test_switches_change_nothing_on_a_cpu(pairs, narrow, tmp_path, plain_losses, monkeypatch):
    plain = session.session_config(narrow)
    monkeypatch.setattr(session, 'precision', lambda config: 'float16')  # which a CPU ignores
    switches = {'mixed_precision': True, 'memory_growth': True}
    for switch in switches:
        assert session.session_config(replace(narrow, **{switch: True})) != plain
    losses = losses_of(pairs, str(tmp_path), replace(narrow, **switches))
    # Gradients times a power of 2, divided by it, are the same unless they are extremely small
    np.testing.assert_allclose(losses, plain_losses, rtol=1e-4)


@pytest.fixture
def bfloat16(monkeypatch):
    """Skips the test unless the CPU has bfloat16 and the runtime uses it."""
    if not hasattr(tf.ConfigProto().graph_options.rewrite_options, session._BFLOAT16_REWRITE):
        pytest.skip('this TensorFlow has no bfloat16 on CPUs')
    if not session.machine.has_bfloat16():
        pytest.skip('this CPU has no bfloat16')


def test_a_cpu_with_bfloat16_uses_it(bfloat16, pairs, narrow, tmp_path, plain_losses, capsys):
    mixed = losses_of(pairs, str(tmp_path), replace(narrow, mixed_precision=True))
    assert (
        'mixed precision: bfloat16 where it is safe, float32 elsewhere' in capsys.readouterr().out
    )
    assert mixed != plain_losses  # it has 8 bits instead of 24
    np.testing.assert_allclose(mixed, plain_losses, rtol=0.03)
    assert {v.dtype.name for v in read_checkpoint(tmp_path).values()} == {'float32', 'int64'}


def test_the_effect_of_mixed_precision_is_reported(narrow, monkeypatch, tmp_path):
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
    assert session.session_config(config) == session.session_config(narrow)


def test_deterministic_ops_change_nothing_on_a_cpu(pairs, narrow, tmp_path):
    # One process each: TensorFlow reads the variable once, before its first op
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
        monkeypatch.setenv(name, '0')  # restored after the test
    session.prepare(replace(narrow, deterministic_ops=True), print)
    assert os.environ['TF_CUDNN_DETERMINISTIC'] == os.environ['TF_DETERMINISTIC_OPS'] == '1'


def test_deterministic_ops_without_a_seed_are_rejected(pairs, tmp_path):
    result = run_command('train', f'--data={pairs}', f'--out={tmp_path}', '--deterministic_ops')
    assert '--seed' in error_line(result, 2)


@pytest.mark.slow
def test_xla_compiles_the_step(pairs, narrow, tmp_path, plain_losses):
    # On a CPU, XLA compiles only if this variable is set before TensorFlow loads
    environment = {'TF_XLA_FLAGS': '--tf_xla_cpu_global_jit', 'TF_CPP_MIN_LOG_LEVEL': '0'}
    environment['XLA_FLAGS'] = '--xla_backend_optimization_level=0'  # compiles faster
    flags = [*narrow_flags(narrow, pairs, tmp_path), '--xla', '--max_steps=1']
    result = run_real_command('train', *flags, environment=environment)
    assert result.returncode == 0, result.stderr
    assert 'Compiled cluster using XLA' in result.stderr
    np.testing.assert_allclose(recorded(str(tmp_path)), plain_losses[:1], rtol=0.02)


def test_only_float16_scales_the_loss(narrow, monkeypatch):
    config = replace(narrow, mixed_precision=True)
    monkeypatch.setattr(session.compat, 'has_gpu', lambda: False)
    assert session.loss_scale(config) == 1  # bfloat16 has the range of float32
    monkeypatch.setattr(session.compat, 'has_gpu', lambda: True)
    assert session.loss_scale(config) == 128
    assert session.loss_scale(narrow) == 1


@pytest.mark.parametrize(
    'cuda, capabilities, named, use',
    [
        ('10', [8.6], '8.6', 'TensorFlow 2.x'),
        ('10.0', [7.5, 8.0, 8.0], '8.0', 'TensorFlow 2.x'),
        ('12.1', [10.0], '10.0', "NVIDIA's container"),
        ('12.5.1', [12.0], '12.0', "NVIDIA's container"),
        ('12.5.1', [5.2], '5.2', 'TensorFlow 1.15'),
    ],
)
def test_a_gpu_without_kernels_gets_a_warning(cuda, capabilities, named, use):
    [line] = session.missing_kernels(cuda, capabilities)
    assert line.startswith(f'warning: this TensorFlow (CUDA {cuda}) has no kernels for a GPU')
    assert f'compute capability {named}' in line and f'use {use}' in line
    assert line.endswith('CUDA_VISIBLE_DEVICES=-1; see docs/gpu.md')


@pytest.mark.parametrize(
    'cuda, capabilities',
    [('10', [3.7, 7.5]), ('12.5.1', [6.0, 9.0]), ('12.8.0', [12.0]), ('', [9.0]), ('10', [])],
)
def test_gpus_with_kernels_and_unknown_builds_get_no_warning(cuda, capabilities):
    assert session.missing_kernels(cuda, capabilities) == []


def test_the_docs_have_the_builds_of_the_warning():
    with open(os.path.join(ROOT, 'docs', 'gpu.md'), encoding='utf-8') as file:
        rows = re.findall(
            r'(?m)^\| .+ \| ([0-9.]+) \| (?:up to|([0-9.]+) to) ([0-9.]+) \| .+ \|$', file.read()
        )
    shown = {cuda: (float(lowest or 0), float(highest)) for cuda, lowest, highest in rows}
    assert shown == {cuda: build[:2] for cuda, build in session.BUILDS.items()}


def test_a_warning_stops_nothing(narrow, monkeypatch):
    monkeypatch.setattr(session.compat, 'compute_capabilities', lambda proto: [99.0])
    lines = []
    session.prepare(narrow, lines.append)
    assert [line.split(':')[0] for line in lines] == ['warning']


def test_xla_without_a_gpu_is_reported(narrow):
    lines = []
    session.prepare(replace(narrow, xla=True), lines.append)
    assert lines == ['xla has no effect: it needs a GPU']


def test_deterministic_ops_do_not_change_an_export(pairs, trained, tmp_path):
    flags = [f'--data={pairs}', f'--checkpoint={trained}', '--seed=1']
    reports = []
    for switch in ([], ['--deterministic_ops']):
        out = tmp_path / f'out{len(switch)}'
        result = run_command('evaluate', f'--out={out}', *flags, *switch)
        assert (result.returncode, result.stderr) == (0, '')
        reports.append((out / 'metrics.csv').read_text())
    assert reports[0] == reports[1]
