"""The command, and conversions that fail: they leave nothing behind."""

import dataclasses
import os
import pathlib
import re
import shutil

import pytest
import tensorflow.compat.v1 as tf
from support.helpers import error_line, run_command, run_here

import pix2pix_tf
from pix2pix_tf import options_file
from pix2pix_tf.cli import main
from pix2pix_tf.convert import card, convert, saved_model
from pix2pix_tf.inference.trained import find
from pix2pix_tf.serve import static_page
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError, UsageError


def test_a_result_that_differs_is_removed(source, forked_checks, tmp_path, monkeypatch):
    to = tmp_path / 'to'

    def wrong(source, path):  # the weights of a generator that was never trained
        with tf.Graph().as_default(), tf.Session() as session:
            exported = saved_model.graph.build(source)
            session.run(tf.global_variables_initializer())
            builder = tf.saved_model.builder.SavedModelBuilder(path)
            image_bytes = {'image_bytes': exported.image_bytes, 'seed': exported.seed}
            signature = saved_model._signature(image_bytes, output_bytes=exported.seeded_bytes)
            builder.add_meta_graph_and_variables(session, ['serve'], {'seeded': signature})
            builder.save()

    monkeypatch.setattr(saved_model, 'write', wrong)
    with pytest.raises(Pix2PixError, match='the saved_model differs from the checkpoint by'):
        convert.convert(source, 'saved_model', str(to))
    assert not to.exists()
    monkeypatch.setattr(saved_model, 'write', lambda source, path: os.mkdir(path))
    with pytest.raises(Pix2PixError, match='the saved_model does not load, and was removed: '):
        convert.convert(source, 'saved_model', str(to))
    assert not to.exists()


def test_an_existing_version_is_not_overwritten(source, tmp_path):
    version = tmp_path / 'mine' / '2'
    version.mkdir(parents=True)
    with pytest.raises(UsageError, match='/mine/2 exists already'):
        convert.convert(source, 'saved_model', str(tmp_path / 'mine'))
    assert os.listdir(str(tmp_path / 'mine')) == ['2'] and os.listdir(str(version)) == []


def test_a_readme_of_another_program_is_kept(source, tmp_path):
    (tmp_path / 'README.md').write_text('# My project')
    with pytest.raises(
        UsageError, match='/README.md was not written by pix2pix_tf: choose another folder'
    ):
        convert.convert(source, 'onnx', str(tmp_path))
    (tmp_path / 'index.html').write_text('<title>My project</title>')
    with pytest.raises(
        UsageError, match='/index.html was not written by pix2pix_tf: choose another folder'
    ):
        static_page.write(source, str(tmp_path), 'x')
    assert sorted(os.listdir(str(tmp_path))) == ['README.md', 'index.html']


def test_the_options_of_another_training_are_kept(source, tmp_path):
    (tmp_path / 'checkpoint').write_text('model_checkpoint_path: "model-7"')
    (tmp_path / 'options.json').write_text('{}')
    with pytest.raises(UsageError, match='is the folder of another training'):
        convert.convert(source, 'onnx', str(tmp_path))
    assert (tmp_path / 'options.json').read_text() == '{}'


def test_a_training_is_preferred_to_a_conversion_in_its_folder(trained, tmp_path):
    out = tmp_path / 'out'
    shutil.copytree(trained, str(out))
    (out / '1').mkdir()
    (out / '1' / 'saved_model.pb').write_bytes(b'')
    found = find(str(out))
    assert (found.step, found.checkpoint) == (2, str(out / 'model-2'))
    assert find(str(out / '1')).step == 1


def test_files_for_other_programs_are_named_with_what_can_be_run(trained, tmp_path):
    for name in ('x.onnx', 'folder/model.tflite', 'saved/1/saved_model.pb', 'model.ckpt'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b'x')
    takes = (
        'cannot be run here: `model` takes the folder of a training, a checkpoint, or the folder'
    )
    for model, words in (
        ('x.onnx', f'{tmp_path}/x.onnx is not an ONNX file of pix2pix_tf: `model` takes those'),
        ('folder', f'{tmp_path}/folder/model.tflite {takes}'),
        ('folder/model.tflite', f'{tmp_path}/folder/model.tflite {takes}'),
        (
            'saved/1/saved_model.pb',
            f'is a part of a SavedModel: choose its folder, {tmp_path}/saved/1',
        ),
        ('model.ckpt', f'{tmp_path}/model.ckpt {takes}'),
    ):
        with pytest.raises(CheckpointError, match=re.escape(words)):
            find(str(tmp_path / model))
    result = run_command('serve', f'--model={tmp_path}/x.onnx')
    assert 'x.onnx is not an ONNX file of pix2pix_tf: --model takes' in error_line(result, 1)
    assert find(os.path.join(trained, 'model-2.index')).step == 2


@pytest.mark.parametrize('model', [5, None, '', 'a\0b', b'out'])
def test_what_is_no_path_is_an_error(model):
    with pytest.raises(UsageError, match='`model` is .*: it must be the path of the folder'):
        pix2pix_tf.load(model)


def test_a_model_may_be_a_path_object(trained):
    assert find(pathlib.Path(trained)) == find(trained)


@pytest.mark.parametrize(
    'difference, words',
    [
        (0.0, 'with the same outputs as the checkpoint'),
        (3.14e-6, 'differs from the checkpoint by at most 3.1e-06 of 2'),
        (None, 'not run: onnxruntime is not installed'),
    ],
)
def test_the_command_says_how_well_the_result_fits(
    trained, tmp_path, monkeypatch, capsys, difference, words
):
    done = convert.Converted('x.onnx', difference)
    monkeypatch.setattr(convert, 'convert', lambda *_: done)
    with pytest.raises(SystemExit):
        main.run('convert', [f'--model={trained}', '--format=onnx'])
    assert capsys.readouterr().out.startswith(f'wrote x.onnx ({words}), with README.md ')


@pytest.mark.parametrize(
    'flags, dropout, masks',
    [
        ([], 0.5, False),
        (['--dropout_at_test=off'], 0.0, False),
        (['--format=tflite'], 0.5, False),
        (['--format=onnx'], 0.5, False),
        (['--format=onnx', '--dropout_at_test=off'], 0.5, False),
        (['--format=onnx', '--dropout_at_test=on'], 0.5, True),
    ],
)
def test_dropout_in_the_result(trained, monkeypatch, flags, dropout, masks):
    """ONNX and TFLite files have no dropout, unless masks are inputs."""
    asked = []
    done = convert.Converted('x', 0.0)
    monkeypatch.setattr(convert, 'convert', lambda *given: asked.append(given) or done)
    assert run_here('convert', f'--model={trained}', *flags) == 0
    [(source, _, _, _, has_masks, canvas)] = asked
    assert (source.config.dropout, has_masks) == (dropout, masks)
    assert bool(canvas) == ('--format=onnx' in flags)


def test_masks_require_dropout(source, tmp_path, capsys):
    """A model that was trained without it has no noise to make an input of."""
    out = str(tmp_path / 'out')
    shutil.copytree(source.folder, out)
    options_file.save(dataclasses.replace(options_file.load(out), dropout=0.0), out)
    flags = ['--format=onnx', '--dropout_at_test=on']
    assert run_here('convert', f'--model={out}', *flags) == 2
    assert f'on requires a model with dropout: {out} has none' in capsys.readouterr().err


def test_the_command(trained, tmp_path):
    out = str(tmp_path / 'out')
    shutil.copytree(trained, out)
    result = run_command('convert', f'--model={out}', '--format=tflite')
    assert (result.returncode, result.stderr) == (0, '')
    assert f'wrote {out}/tflite/model.tflite (differs from the checkpoint by' in result.stdout
    for flags, words in (
        (['--weights=int8'], '--weights requires ONNX or TFLite'),
        (
            ['--format=tflite', '--dropout_at_test=on'],
            '--dropout_at_test=on requires a SavedModel or ONNX',
        ),
        (['--format=h5'], 'format'),
    ):
        assert words in error_line(run_command('convert', f'--model={out}', *flags), 2)
    result = run_command('convert', f'--model={tmp_path}/none')
    assert 'no folder and no checkpoint' in error_line(result, 1)


def test_the_options_of_another_model_are_kept(source, trained, tmp_path):
    (tmp_path / 'options.json').write_text('{"name": "my project"}')
    with pytest.raises(UsageError, match='/options.json was not written by pix2pix_tf'):
        convert.convert(source, 'tflite', str(tmp_path))
    assert (tmp_path / 'options.json').read_text() == '{"name": "my project"}'
    saved = dataclasses.replace(options_file.load(trained), ngf=8)
    options_file.save(saved, str(tmp_path), options_file.load_data(trained))
    before = (tmp_path / 'options.json').read_bytes()
    with pytest.raises(UsageError, match='has another model .`ngf` was 8, now 4.'):
        convert.convert(source, 'tflite', str(tmp_path))
    assert (tmp_path / 'options.json').read_bytes() == before
    assert os.listdir(str(tmp_path)) == ['options.json']


@pytest.mark.parametrize('name', ['style.css', 'model.onnx', 'examples'])
def test_a_page_replaces_only_an_earlier_page(source, tmp_path, name):
    (tmp_path / name).write_text('mine')
    with pytest.raises(
        UsageError, match=f'/{name} is not part of an earlier page: choose another folder'
    ):
        static_page.write(source, str(tmp_path), 'x')
    assert os.listdir(str(tmp_path)) == [name]


@pytest.mark.post_networks
def test_a_checkpoint_of_another_model_is_an_error_of_one_line(source, tmp_path):
    onnx = pytest.importorskip('pix2pix_tf.convert.onnx')
    other = source._replace(config=dataclasses.replace(source.config, ngf=8))
    with pytest.raises(CheckpointError, match='does not begin with 8 filters'):
        onnx.build(other)
    shutil.copytree(source.folder, str(tmp_path / 'out'))
    for path in (tmp_path / 'out').glob('model-2.data*'):
        path.write_bytes(path.read_bytes()[:1000])
    damaged = source._replace(checkpoint=str(tmp_path / 'out' / 'model-2'))
    with pytest.raises(CheckpointError, match='cannot read the checkpoint .*/out/model-2'):
        onnx.build(damaged)


def test_a_card_names_the_dataset_instead_of_its_part(trained, tmp_path):
    out = tmp_path / 'out'
    shutil.copytree(trained, str(out))
    written = (out / 'options.json').read_text()
    folder = options_file.load_data(trained).folder
    (out / 'options.json').write_text(written.replace(folder, '/x/facades/train'))
    assert '| Data | facades |' in card.write(find(str(out)), {})
