import json
import os
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from support.helpers import (
    contents,
    error_line,
    evaluate,
    export,
    run_command,
    write_cut_off,
    write_pair,
)

from pix2pix_tf import checkpoints, exporting, options_file
from pix2pix_tf.config import Config
from pix2pix_tf.evaluation import metrics
from pix2pix_tf.evaluation.evaluator import Measures
from pix2pix_tf.evaluation.features import FeatureNetwork
from pix2pix_tf.model import build_model
from pix2pix_tf.system.errors import CheckpointError, DataError


@pytest.fixture
def out(trained, tmp_path):
    copy = str(tmp_path / 'out')
    shutil.copytree(trained, copy)
    return copy


def test_export_writes_three_pngs_per_pair_and_says_so(out, pairs):
    result = run_command('export', f'--data={pairs}', f'--out={out}')
    assert (result.returncode, result.stderr) == (0, '')
    *table, _, _, line = result.stdout.splitlines()  # two lines explain the table
    assert line == (
        f'wrote 15 images of 5 pairs from {out}/model-2 to {out}/images; open {out}/index.html'
    )
    assert [row.split()[0] for row in table[1:]] == list(metrics.NAMES)
    images = contents(out + '/images')
    kinds = ('inputs', 'outputs', 'targets')
    assert set(images) == {f'{n}-{kind}.png' for n in range(1, 6) for kind in kinds}
    for name in images:
        with Image.open(os.path.join(out, 'images', name)) as image:
            assert (image.size, image.mode, image.format) == ((256, 256), 'RGB', 'PNG')


@pytest.mark.parametrize('command', ['export', 'evaluate'])
def test_without_data_the_validation_pairs_are_those_beside_the_training(out, tmp_path, command):
    options = os.path.join(out, 'options.json')
    with open(options) as file:
        values = json.load(file)
    values['data']['folder'] = str(tmp_path / "kid's" / 'train')
    with open(options, 'w') as file:
        json.dump(values, file)
    line = error_line(run_command(command, f'--out={out}'), 1)
    assert f"no data folder {tmp_path}/kid's/val " in line
    write_pair(tmp_path / "kid's" / 'val' / 'x.png')
    assert run_command(command, f'--out={out}').returncode == 0
    with open(os.path.join(out, 'metrics.json')) as file:
        assert json.load(file)['source']['data'] == str(tmp_path / "kid's" / 'val')


def test_images_of_256_pixels_are_exported_unchanged(out, tmp_path):
    write_pair(tmp_path / 'val' / 'x.png', 9, width=512, height=256)
    export(str(tmp_path / 'val'), out)
    pair = np.array(Image.open(str(tmp_path / 'val' / 'x.png')))
    targets = np.array(Image.open(os.path.join(out, 'images', 'x-targets.png')))
    inputs = np.array(Image.open(os.path.join(out, 'images', 'x-inputs.png')))
    np.testing.assert_array_equal(targets, pair[:, :256])
    np.testing.assert_array_equal(inputs, pair[:, 256:])


def test_the_same_seed_writes_the_same_bytes(out, pairs):
    written = {}
    for name, seed in (('a', 3), ('b', 3), ('c', 4)):
        export(pairs, out, seed=seed)
        written[name] = contents(out + '/images')
    assert written['a'] == written['b']
    differ = {name for name in written['a'] if written['a'][name] != written['c'][name]}
    assert differ == {f'{n}-outputs.png' for n in range(1, 6)}


def test_batches_need_not_divide_the_folder(out, pairs):
    result = export(pairs, out, batch_size=2)
    assert result.images_written == len(os.listdir(result.image_dir)) == 15
    assert result.page == os.path.join(out, 'index.html')
    assert len(result.report.images) == 5


def test_ngf_comes_from_the_saved_options_or_the_call(out, pairs):
    os.remove(os.path.join(out, 'options.json'))
    with pytest.raises(CheckpointError) as error:
        export(pairs, out)
    assert 'model-2 does not fit' in str(error.value)
    assert export(pairs, out, ngf=4).images_written == 15


def test_a_checkpoint_can_be_chosen(out, pairs, tmp_path):
    other = str(tmp_path / 'other')
    export(pairs, other, checkpoint=os.path.join(out, 'model-2'))
    assert len(os.listdir(os.path.join(other, 'images'))) == 15
    result = run_command('export', f'--data={pairs}', f'--out={out}', f'--checkpoint={out}/model-9')
    assert f'there is no folder and no checkpoint {out}/model-9: train first' in error_line(
        result, 1
    )
    odd = str(tmp_path / 'odd[1]')
    shutil.copytree(out, odd)
    result = run_command('evaluate', f'--data={pairs}', f'--checkpoint={odd}/model-2')
    assert f'{odd}/model-2 has a [' in error_line(result, 2)


def test_a_folder_without_a_checkpoint_is_an_error(pairs, tmp_path):
    result = run_command('export', f'--data={pairs}', f'--out={tmp_path}')
    assert f'no checkpoint in the folder {tmp_path}: train first' in error_line(result, 1)
    assert os.listdir(str(tmp_path)) == []


def test_a_checkpoint_of_the_posts_own_script_can_be_exported(pairs, tmp_path, graph):
    """The post's graph has these variables; its Saver writes them all, and no options."""
    tf.set_random_seed(1)
    thin = Config(ngf=2, ndf=2)  # narrower than the post's only to be quick
    build_model(*[tf.zeros([1, 256, 256, 3])] * 2, thin)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        tf.train.Saver(max_to_keep=1).save(session, str(tmp_path / 'model'), global_step=7)
    assert options_file.load(str(tmp_path)) is None
    assert checkpoints.latest(str(tmp_path)) == str(tmp_path / 'model-7')
    assert export(pairs, str(tmp_path), ngf=2).images_written == 15


def test_a_truncated_file_is_named(out, pairs, tmp_path):
    folder = tmp_path / 'val'
    shutil.copytree(pairs, str(folder))
    write_cut_off(folder / '6.jpg')
    result = run_command('export', f'--data={folder}', f'--out={out}')
    assert f'{folder}/6.jpg cannot be decoded' in error_line(result, 1)


def read_pixels(out, name):
    return np.array(Image.open(os.path.join(out, 'images', name)))


def test_metrics_equal_those_of_the_images_on_disk(out, pairs):
    export(pairs, out)
    with open(os.path.join(out, 'metrics.json')) as file:
        report = json.load(file)
    assert [image['name'] for image in report['images']] == ['1', '2', '3', '4', '5']
    for image in report['images']:
        kinds = [read_pixels(out, f'{image["name"]}-{kind}.png') for kind in ('outputs', 'targets')]
        assert dict(metrics.compare(*kinds), name=image['name']) == image
    mean = np.mean([image['L1'] for image in report['images']])
    assert report['summaries']['L1']['mean'] == pytest.approx(mean)
    source = {'checkpoint': f'{out}/model-2', 'step': 2, 'data': pairs, 'seed': None, 'samples': 1}
    assert report['source'] == source


def test_evaluate_returns_the_metrics_of_an_export_without_its_images(out, pairs, tmp_path):
    export(pairs, out, seed=3)
    exported = contents(out)['metrics.csv']
    other = str(tmp_path / 'other')
    report = evaluate(pairs, other, os.path.join(out, 'model-2'), seed=3)
    assert contents(other)['metrics.csv'] == exported
    assert sorted(os.listdir(other)) == ['metrics.csv', 'metrics.json']
    assert report.summaries['SSIM'].low <= report.summaries['SSIM'].mean


def test_a_page_of_another_program_is_kept(trained, pairs, tmp_path):
    (tmp_path / 'index.html').write_text('<title>My page</title>')
    flags = f'--data={pairs}', f'--checkpoint={trained}', f'--out={tmp_path}'
    line = error_line(run_command('export', *flags), 2)
    assert (
        f'{tmp_path}/index.html was not written by pix2pix_tf: choose another folder with --out'
        in line
    )
    assert contents(tmp_path) == {'index.html': b'<title>My page</title>'}


@pytest.mark.parametrize(
    'name', ['1-inputs.png', '5-outputs.png', '5-outputs-2.png', '3-targets.png']
)
def test_images_of_another_program_are_kept(trained, pairs, tmp_path, name):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images' / name).write_bytes(b'mine')
    (tmp_path / 'images' / '51-outputs.png').write_bytes(b'of no pair')
    flags = f'--data={pairs}', f'--checkpoint={trained}', f'--out={tmp_path}'
    assert error_line(run_command('export', *flags), 2) == (
        f'pix2pix-export: {tmp_path}/images/{name} is not from an earlier export: choose another '
        'folder with --out'
    )
    assert os.listdir(str(tmp_path)) == ['images']
    assert contents(tmp_path / 'images') == {name: b'mine', '51-outputs.png': b'of no pair'}
    (tmp_path / 'images' / name).unlink()
    result = run_command('export', *flags)
    assert (result.returncode, result.stderr) == (0, '')
    assert contents(tmp_path / 'images')['51-outputs.png'] == b'of no pair'


@pytest.mark.parametrize('command', ['export', 'evaluate'])
@pytest.mark.parametrize(
    'name, text',
    [
        ('metrics.json', '{"accuracy": 0.9}'),
        ('metrics.json', '{"summaries": 1, "mine": 2}'),
        ('metrics.json', '[' * 100000 + '"summaries"'),
        ('metrics.csv', 'epoch,loss\n1,0.5\n'),
    ],
    ids=['json', 'summaries', 'deep', 'csv'],
)
def test_metrics_of_another_program_are_kept(trained, pairs, tmp_path, command, name, text):
    (tmp_path / name).write_text(text)
    flags = f'--data={pairs}', f'--checkpoint={trained}', f'--out={tmp_path}'
    assert error_line(run_command(command, *flags), 2) == (
        f'pix2pix-{command}: {tmp_path}/{name} was not written by pix2pix_tf: choose another '
        'folder with --out'
    )
    assert contents(tmp_path) == {name: text.encode()}
    assert os.listdir(str(tmp_path)) == [name]


def test_a_killed_export_is_an_earlier_one(out, pairs, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patches:
        patches.setattr(exporting, 'save_report', kill)
        with pytest.raises(Killed):
            export(pairs, out)
    assert len(os.listdir(out + '/images')) == 16 and not os.path.exists(out + '/index.html')
    for _ in range(2):
        assert export(pairs, out).images_written == len(os.listdir(out + '/images')) == 15


def test_an_image_does_not_depend_on_the_rest_of_the_folder(out, pairs, tmp_path):
    export(pairs, out, seed=3)
    whole = contents(out + '/images')
    alone = tmp_path / 'alone'
    alone.mkdir()
    shutil.copy(os.path.join(pairs, '4.jpg'), str(alone))
    export(str(alone), str(tmp_path / 'other'), os.path.join(out, 'model-2'), seed=3)
    single = contents(tmp_path / 'other' / 'images')
    assert len(single) == 3
    assert all(whole[name] == single[name] for name in single)


def test_an_image_does_not_depend_on_the_batch_size(out, pairs):
    written = []
    for batch_size in (1, 3):
        export(pairs, out, seed=3, batch_size=batch_size)
        written.append(contents(out + '/images'))
    assert written[0] == written[1]


def test_samples_differ_by_their_noise_alone(out, pairs):
    written = export(pairs, out, measures=Measures(samples=3), seed=3).images_written
    assert written == len(os.listdir(out + '/images')) == 25
    with open(os.path.join(out, 'metrics.json')) as file:
        report = json.load(file)
    for image in report['images']:
        name = image['name']
        files = [f'{name}-outputs.png', f'{name}-outputs-2.png', f'{name}-outputs-3.png']
        outputs = np.array([read_pixels(out, file) for file in files])
        assert image['diversity'] == metrics.diversity(outputs) > 0
    several = contents(out + '/images')
    export(pairs, out, seed=3)
    single = contents(out + '/images')
    for kind in ('inputs', 'targets'):
        assert several[f'1-{kind}.png'] == single[f'1-{kind}.png']


def test_fid_of_a_single_pair_is_rejected(out, tmp_path):
    write_pair(tmp_path / 'val' / '1.png')
    with pytest.raises(DataError) as error:
        evaluate(str(tmp_path / 'val'), out, measures=Measures(network=FeatureNetwork('x.pb')))
    assert 'FID and KID need at least two pairs' in str(error.value)
