"""The checkpoint with the best validation metric, whatever ends the run."""

import itertools
import os
import shutil
from dataclasses import replace

import pytest
import tensorflow.compat.v1 as tf
from support.helpers import (
    SMALL,
    contents,
    error_line,
    run_command,
)

from pix2pix_tf import checkpoints, options_file, saving, training
from pix2pix_tf.config import Config, create
from pix2pix_tf.evaluation import metrics
from pix2pix_tf.evaluation.image_metrics import OptionalMetrics
from pix2pix_tf.inference.generator import load
from pix2pix_tf.inference.trained import find
from pix2pix_tf.monitoring import best_checkpoint
from pix2pix_tf.monitoring.validation import Validation
from pix2pix_tf.pairs.find import Pairs
from pix2pix_tf.system.errors import Pix2PixError, UsageError

NAN = float('nan')
SSIM = Config(keep_best='SSIM')


class Killed(BaseException):
    """Nothing cleans up after it, as after SIGKILL."""


@pytest.fixture
def saves(graph, tmp_path):
    """Saves of one variable in `tmp_path`."""
    tf.get_variable('weights', [3], initializer=tf.ones_initializer())
    tf.train.get_or_create_global_step()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        yield saving.Saves(tf.train.Saver(max_to_keep=None), session, str(tmp_path), SSIM)


@pytest.fixture
def start(pairs, tmp_path):
    """A function: the BestCheckpoint that a training in `tmp_path` finds; `names` are its pairs."""

    def start(config=SSIM, names=('1.jpg', '2.jpg')):
        watched = Pairs([os.path.join(pairs, name) for name in names], [], [])
        return best_checkpoint.find(str(tmp_path), config, watched)

    return start


def values(**given):
    return dict(dict.fromkeys(metrics.NAMES, 0.5), **given)


def kept(out):
    """The name of the only checkpoint in the folder best of `out`."""
    folder = os.path.join(str(out), 'best')
    newest = checkpoints.latest(folder)
    names = {n.split('.')[0] for n in os.listdir(folder) if n.startswith('model')}
    assert names == {os.path.basename(newest)}
    return os.path.basename(newest)


def test_a_training_keeps_the_best_and_its_options(pairs, tmp_path, monkeypatch):
    out = str(tmp_path)
    script = iter([0.2, 0.4, NAN, 0.3])

    def evaluate(*_):
        return {'validation/' + name: value for name, value in values(SSIM=next(script)).items()}

    monkeypatch.setattr(Validation, 'evaluate', evaluate)
    config = replace(SMALL, max_steps=4, eval_freq=1, eval_images=1, keep_best='SSIM')
    training.train(pairs, out, config, val_data=pairs)
    assert kept(out) == 'model-2'
    assert options_file.load(os.path.join(out, 'best')) == config
    assert find(out).step == 4
    with load(os.path.join(out, 'best')) as generator:
        assert (generator.checkpoint, generator.step) == (f'{out}/best/model-2', 2)
        assert generator.config.ngf == SMALL.ngf


@pytest.mark.parametrize('metric', [*metrics.NAMES, *metrics.OPTIONAL_NAMES])
def test_each_metric_has_its_direction(saves, start, tmp_path, metric):
    best = start(Config(keep_best=metric))
    for step, value in enumerate([0.3, 0.3, 0.2, 0.4], 1):
        best.offer(saves, step, values(**{metric: value}))
    lower_is_better = metric in ('L1', 'RMSE', 'LPIPS')
    assert kept(tmp_path) == ('model-3' if lower_is_better else 'model-4')


def test_a_resumed_run_compares_with_the_former_best(saves, start, tmp_path, capsys):
    start().offer(saves, 7, values(SSIM=0.4, L1=0.1))
    best = start()
    assert f'the best so far is {tmp_path}/best/model-7: SSIM 0.4000' in capsys.readouterr().out
    best.offer(saves, 8, values(SSIM=0.39))
    assert kept(tmp_path) == 'model-7'
    best.offer(saves, 7, values(SSIM=0.41))  # the former run was killed after this step
    assert kept(tmp_path) == 'model-again-7'
    by_l1 = start(Config(keep_best='L1'))
    by_l1.offer(saves, 9, values(L1=0.6))  # that of step 7 has an L1 as well, of 0.5
    assert kept(tmp_path) == 'model-again-7'
    by_l1.offer(saves, 9, values(L1=0.4))
    assert kept(tmp_path) == 'model-9'
    capsys.readouterr()
    others = start(names=['3.jpg'])
    assert f'{tmp_path}/best/model-9 has no SSIM of these' in capsys.readouterr().out
    others.offer(saves, 10, values(SSIM=NAN))
    assert kept(tmp_path) == 'model-9'
    others.offer(saves, 10, values(SSIM=0.01))
    assert kept(tmp_path) == 'model-10'


def kill_at(moment, patch):
    """Lets one of the calls that change the disk raise Killed, the first if `moment` is 0."""
    calls = itertools.count()

    def counted(original):
        def call(*args, **kwargs):
            if next(calls) == moment:
                raise Killed
            return original(*args, **kwargs)

        return call

    for name in ('replace', 'remove', 'fsync'):
        patch.setattr(os, name, counted(getattr(os, name)))


def test_a_kill_at_any_moment_leaves_the_former_best_or_the_new_one(
    saves, start, tmp_path, monkeypatch
):
    start().offer(saves, 1, values(SSIM=0.1))
    before = contents(tmp_path / 'best')
    left = set()
    for moment in range(100):
        shutil.rmtree(str(tmp_path / 'best'))
        (tmp_path / 'best').mkdir()
        for name, data in before.items():
            (tmp_path / 'best' / name).write_bytes(data)
        best = start()
        with monkeypatch.context() as patch:
            kill_at(moment, patch)
            try:
                best.offer(saves, 2, values(SSIM=0.2))
            except Killed:
                is_killed = True
            else:
                is_killed = False
        again = start()
        assert (again.name, again.value) in [('model-1', 0.1), ('model-2', 0.2)]
        reader = tf.train.NewCheckpointReader(str(tmp_path / 'best' / again.name))
        assert reader.get_tensor('weights').tolist() == [1, 1, 1]
        left.add(again.name)
        again.offer(saves, 3, values(SSIM=0.3))
        assert start().name == kept(tmp_path) == 'model-3'
        if not is_killed:
            break
    assert moment > 8 and left == {'model-1', 'model-2'}


def test_a_failed_save_leaves_the_former_best_and_ends_the_run_badly(
    pairs, tmp_path, saves, start, monkeypatch, capsys
):
    best = start()
    best.offer(saves, 1, values(SSIM=0.1))
    in_the_way = tmp_path / 'best' / 'model-2.index' / 'in the way'
    in_the_way.mkdir(parents=True)
    best.offer(saves, 2, values(SSIM=0.2))
    assert f'cannot save {tmp_path}/best/model-2' in capsys.readouterr().out
    assert best.name == 'model-1' and find(str(tmp_path / 'best')).checkpoint.endswith('model-1')
    with pytest.raises(Pix2PixError, match='cannot save .*best/model-2'):
        training.conclude(saves, range(2), 2, None)
    best.offer(saves, 3, values(SSIM=0.15))
    assert saves.best_error is None and best.name == 'model-3'


def test_what_the_training_did_not_keep_is_not_replaced(saves, start, tmp_path):
    (tmp_path / 'best').mkdir()
    path = saving.write(saves.saver, saves.sess, str(tmp_path / 'best'), 5)
    saving.keep_newest(str(tmp_path / 'best'), path)
    with pytest.raises(UsageError, match='best/model-5 was not saved by `keep_best`: move it'):
        start()
    (tmp_path / 'best' / 'best.json').write_text('{"model-5": 1}')
    with pytest.raises(Pix2PixError, match='cannot use .*best.json .*: move'):
        start()


def test_a_metric_that_is_not_computed_is_an_error_of_one_line(pairs, tmp_path):
    flags = ['train', f'--data={pairs}', f'--out={tmp_path}/out', '--keep_best=SSIM']
    line = error_line(run_command(*flags), 2)
    assert '--keep_best is SSIM: it needs --val_data, and --eval_freq above 0' in line
    assert not (tmp_path / 'out').exists()
    for config, words in (
        (replace(SSIM, eval_freq=0), '`keep_best` is SSIM: it needs `val_data`, and `eval_freq`'),
        (Config(keep_best='LPIPS'), '`keep_best` is LPIPS: it needs `lpips` as well'),
    ):
        with pytest.raises(UsageError) as error:
            training.train(pairs, str(tmp_path / 'out'), config, val_data=pairs)
        assert str(error.value).startswith(words)
    with pytest.raises(UsageError, match='`keep_best` is beauty: it must be none, L1, RMSE, PSNR'):
        create(keep_best='beauty')
    for name in (*metrics.NAMES, *metrics.OPTIONAL_NAMES):
        best_checkpoint.check_possible(create(keep_best=name), 'val', OptionalMetrics('a.npz'))
