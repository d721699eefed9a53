"""Pairs of more than two RGB images: several panels, gray ones, and values of 16 bits."""

import io
import json
import os
from dataclasses import replace

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from support.chromium import browsing
from support.clients import served
from support.evaluating import evaluate as value_of
from support.helpers import NARROW, error_line, evaluate, export, pair_pixels, run_command
from werkzeug.test import Client
from werkzeug.wrappers import Response

import pix2pix_tf
from pix2pix_tf import dataset, exporting, images, options_file, training
from pix2pix_tf.config import Config
from pix2pix_tf.convert import convert
from pix2pix_tf.evaluation import metrics
from pix2pix_tf.inference.trained import find
from pix2pix_tf.model import build_model
from pix2pix_tf.pairs import panels
from pix2pix_tf.serve import canvas, static_page
from pix2pix_tf.serve.access import Access
from pix2pix_tf.serve.app import Application
from pix2pix_tf.serve.hot_reload import CurrentGenerator
from pix2pix_tf.serve.image_request import Limits
from pix2pix_tf.serve.job_queue import JobQueue
from pix2pix_tf.system.errors import CheckpointError, DataError, UsageError

RAMP = np.arange(2**16, dtype=np.uint16).reshape(256, 256, 1)


def post_decode_pair(contents, offset, config, mirrored=None):
    """`dataset.decode_pair` for the post's pairs alone: two RGB halves of 8 bits."""
    raw_image = tf.image.decode_png(contents)
    has_alpha = tf.equal(tf.shape(raw_image)[2] % 2, 0)
    raw_image = tf.cond(has_alpha, lambda: dataset.flatten(raw_image), lambda: raw_image)
    raw_image = tf.tile(raw_image, [1, 1, 3 // tf.shape(raw_image)[2]])
    raw_image.set_shape([None, None, 3])
    width = tf.shape(raw_image)[1]
    left, right = raw_image[:, : width // 2], raw_image[:, width // 2 :]
    return tuple(dataset.process_image(half, offset, config, mirrored) for half in (right, left))


def post_deprocess_image(img, _):
    return tf.image.convert_image_dtype((img + 1) / 2, dtype=tf.uint8, saturate=True)


def post_encode_pngs(pixels, _):
    return images.compat.map_fn(
        lambda image: tf.image.encode_png(image, compression=1), pixels, dtype=tf.string
    )


def graphs_of_a_training_and_an_export():
    config, definitions = Config(ngf=2, ndf=2, num_threads=1), []
    for is_training in (True, False):
        with tf.Graph().as_default() as graph:
            tf.set_random_seed(1)
            batches = dataset.load_data(['1.png', '2.png'], config, is_training)
            if is_training:
                build_model(batches.inputs, batches.targets, config)
            else:
                exporting._fetches(batches, replace(config, seed=1), 1, True)
            definitions.append(graph.as_graph_def())
    return definitions


def test_by_default_the_graphs_are_those_without_panels(monkeypatch, graph_mode):
    built = graphs_of_a_training_and_an_export()
    monkeypatch.setattr(dataset, 'decode_pair', post_decode_pair)
    monkeypatch.setattr(images, 'deprocess_image', post_deprocess_image)
    monkeypatch.setattr(images, 'encode_pngs', post_encode_pngs)
    assert built == graphs_of_a_training_and_an_export()
    assert all('Sub' in {node.op for node in definition.node} for definition in built)


def write_panels(path, *parts):
    """A PNG file with these panels, each [height, width, channels], side by side."""
    with tf.Graph().as_default(), tf.Session() as session:
        pixels = tf.constant(np.concatenate(parts, axis=1))
        with open(str(path), 'wb') as file:
            file.write(session.run(tf.image.encode_png(pixels)))


def read_panels(path, bits=8):
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(tf.image.decode_png(tf.read_file(str(path)), dtype=f'uint{bits}'))


def photo(seed):
    return pair_pixels(seed, 64, 64)


def mask(seed):
    return np.where(photo(seed + 100)[..., :1] < 128, 0, 255).astype(np.uint8).repeat(3, axis=2)


@pytest.mark.parametrize('direction', ['BtoA', 'AtoB'])
def test_the_targets_are_left_or_right_and_panels_are_cropped_alike(graph, tmp_path, direction):
    parts = [photo(seed) for seed in (1, 2, 3)]
    write_panels(tmp_path / '1.png', *parts)
    config = Config(input_panels=2, direction=direction, scale_size=72, crop_size=64)
    contents = tf.read_file(str(tmp_path / '1.png'))
    decoded = dataset.decode_pair(contents, tf.constant([3, 8]), config)
    assert [image.shape.as_list() for image in decoded] == [[64, 64, 6], [64, 64, 3]]
    inputs, targets = value_of(decoded)
    order = [1, 2, 0] if direction == 'BtoA' else [0, 1, 2]
    with tf.Session() as session:
        for index, got in zip(order, [inputs[..., :3], inputs[..., 3:], targets]):
            alone = dataset.process_image(tf.constant(parts[index]), tf.constant([3, 8]), config)
            np.testing.assert_array_equal(got, session.run(alone))


@pytest.mark.parametrize('channels', [1, 3])
def test_none_of_65536_values_is_lost(graph, tmp_path, channels):
    """Through a file, the decoder, [-1, 1], the encoder and another file."""
    ramp = np.concatenate([RAMP, RAMP[::-1], RAMP.transpose(1, 0, 2)], axis=2)[..., :channels]
    write_panels(tmp_path / '1.png', ramp, ramp[::-1])
    config = Config(channels=channels, bits=16)
    decoded = dataset.decode_pair(tf.read_file(str(tmp_path / '1.png')), None, config)
    pngs = [images.encode_pngs(images.deprocess_image(o, config)[None], config) for o in decoded]
    with tf.Session() as session:
        values = session.run(decoded)
        files = [png[0] for png in session.run(pngs)]
    assert values[1].min() == -1 and values[1].max() == 1
    for png, want in zip(files, (ramp[::-1], ramp)):
        (tmp_path / 'out.png').write_bytes(png)
        np.testing.assert_array_equal(read_panels(tmp_path / 'out.png', 16), want)


def test_colors_become_gray_as_pillow_makes_them(graph, tmp_path):
    levels = np.random.RandomState(1).randint(0, 256, (64, 64, 4)).astype(np.uint8)
    files = []
    for mode in ('RGB', 'RGBA', 'L'):
        image = Image.fromarray(levels).convert(mode)
        image.save(str(tmp_path / 'x.png'))
        files.append((tmp_path / 'x.png').read_bytes())
        decoded = dataset.decode_image(tf.constant(files[-1]), Config(channels=1))
        white = Image.new('RGBA', image.size, 'white')
        want = Image.alpha_composite(white, image.convert('RGBA')).convert('RGB').convert('L')
        np.testing.assert_array_equal(value_of(decoded)[..., 0], np.asarray(want))


def test_16_bits_of_transparent_and_8_bit_files(graph, tmp_path):
    rgba = np.array([[[40000, 10, 65535, 65535], [40000, 10, 65535, 0]]], np.uint16)
    write_panels(tmp_path / '1.png', rgba)
    write_panels(tmp_path / '2.png', np.array([[[7], [255]]], np.uint8))
    config = Config(bits=16)
    one, two = (
        value_of(dataset.decode_image(tf.read_file(str(tmp_path / name)), config))
        for name in ('1.png', '2.png')
    )
    assert one.tolist() == [[[40000, 10, 65535], [65535] * 3]]
    assert two.tolist() == [[[7 * 257] * 3, [65535] * 3]]


TWO_INPUTS = replace(NARROW, input_panels=2, max_steps=2, scale_size=256, progress_freq=1)
GRAY_16 = replace(NARROW, channels=1, bits=16, max_steps=2, scale_size=256, display_freq=1)


@pytest.fixture(scope='module')
def triples(tmp_path_factory):
    """Files of a photo, another one, and a mask."""
    folder = tmp_path_factory.mktemp('triples')
    for number in (1, 2):
        write_panels(folder / f'{number}.png', photo(number), photo(number + 10), mask(number))
    return str(folder)


@pytest.fixture(scope='module')
def two_inputs(triples, graph_mode, tmp_path_factory):
    out = str(tmp_path_factory.mktemp('two'))
    watched = replace(TWO_INPUTS, display_freq=1, eval_freq=1, eval_images=1)
    training.train(triples, out, watched, val_data=triples)
    return out


@pytest.fixture(scope='module')
def ramps(tmp_path_factory):
    """Gray files of 16 bits: a ramp, and the ramp upside down."""
    folder = tmp_path_factory.mktemp('ramps')
    write_panels(folder / '1.png', RAMP, RAMP[::-1])
    return str(folder)


@pytest.fixture(scope='module')
def gray_16(ramps, graph_mode, tmp_path_factory):
    out = str(tmp_path_factory.mktemp('gray'))
    training.train(ramps, out, GRAY_16, val_data=ramps)
    return out


def test_two_inputs_are_trained_exported_and_predicted_alike(triples, two_inputs, tmp_path):
    result = export(triples, two_inputs, seed=3)
    assert result.images_written == 6
    inputs, outputs, targets = (
        read_panels(os.path.join(result.image_dir, f'1-{kind}.png')) for kind in images.KINDS
    )
    assert (inputs.shape, outputs.shape) == ((256, 512, 3), (256, 256, 3))
    with open(result.page) as file:
        page = file.read()
    assert 'width="512" height="256"' in page and 'columns: 512fr 256fr 256fr' in page
    assert metrics.compare(outputs, targets)['SSIM'] == result.report.images[0]['SSIM']
    assert evaluate(triples, two_inputs, seed=3).summaries == result.report.summaries

    with pix2pix_tf.load(two_inputs) as generator:
        answer = generator(panels.joined(inputs, 2), seed=3)
        np.testing.assert_array_equal(answer, outputs)
        picture = generator(Image.fromarray(inputs), seed=3)
        np.testing.assert_array_equal(np.asarray(picture), outputs)
        with pytest.raises(UsageError, match=r'an array of uint8 \[height, width, 6\]'):
            generator(outputs)
    source = os.path.join(result.image_dir, '1-inputs.png')
    flags = f'--model={two_inputs}', f'--to={tmp_path}', '--seed=3'
    assert run_command('predict', source, *flags).returncode == 0
    predicted = (tmp_path / '1-inputs.png').read_bytes()
    with open(os.path.join(result.image_dir, '1-outputs.png'), 'rb') as file:
        assert file.read() == predicted
    preview = Image.open(str(tmp_path / 'previews' / '1-inputs.jpg'))
    assert preview.size == (512, 256)


def test_single_images_are_refused_by_name(two_inputs, tmp_path):
    folder = tmp_path / 'single'
    folder.mkdir()
    Image.fromarray(photo(1)).save(str(folder / 'a.png'))
    Image.fromarray(photo(1)[:, :63]).save(str(folder / 'b.png'))
    result = run_command('predict', folder, f'--model={two_inputs}', f'--to={tmp_path / "to"}')
    assert result.returncode == 1
    takes = 'the model takes files of 2 images side by side'
    assert f'{folder}/a.png has the shape of one image, 64x64 pixels: {takes}' in result.stdout
    assert f'{folder}/b.png is 63 pixels wide, which 2 do not divide: {takes}' in result.stdout


def test_a_training_shows_all_panels(two_inputs):
    events = os.path.join(two_inputs, 'development')
    assert Image.open(os.path.join(events, '1-inputs.png')).size == (512, 256)
    assert Image.open(os.path.join(events, '1-2.png')).size == (256, 256)
    with open(os.path.join(two_inputs, 'options.json')) as file:
        saved = json.load(file)
    assert (saved['input_panels'], saved['output_panels'], saved['bits']) == (2, 1, 8)


def test_a_run_resumes_only_with_its_panels(triples, two_inputs):
    with pytest.raises(CheckpointError, match='`input_panels` was 2, now 1.*: use the same, or an'):
        training.train(triples, two_inputs, replace(TWO_INPUTS, input_panels=1, output_panels=2))
    with pytest.raises(CheckpointError, match='`bits` was 8, now 16'):
        training.train(triples, two_inputs, replace(TWO_INPUTS, bits=16))


def test_older_options_have_one_rgb_image_on_each_side(tmp_path):
    options_file.save(Config(ngf=8), str(tmp_path))
    path = tmp_path / 'options.json'
    values = json.loads(path.read_text())
    for name in ('input_panels', 'output_panels', 'channels', 'bits'):
        del values[name]
    path.write_text(json.dumps(values))
    assert options_file.load(str(tmp_path)) == Config(ngf=8)


def test_gray_of_16_bits_is_trained_exported_and_predicted_alike(ramps, gray_16, tmp_path):
    result = export(ramps, gray_16, seed=3)
    inputs, outputs, targets = (
        read_panels(os.path.join(result.image_dir, f'1-{kind}.png'), 16) for kind in images.KINDS
    )
    np.testing.assert_array_equal(targets, RAMP)
    np.testing.assert_array_equal(inputs, RAMP[::-1])
    assert len(np.unique(outputs >> 8)) < len(np.unique(outputs))  # the lower 8 bits say something
    with pix2pix_tf.load(gray_16) as generator:
        np.testing.assert_array_equal(generator(inputs, seed=3), outputs)
        assert generator(inputs, seed=3, fit='whole').dtype == np.uint16
        for pixels in (inputs[..., 0], inputs[..., 0].astype(np.int32)):  # as Pillows read them
            picture = generator(Image.fromarray(pixels), seed=3)
            np.testing.assert_array_equal(np.asarray(picture), outputs[..., 0])
    flags = f'--model={gray_16}', f'--to={tmp_path}', '--seed=3', '--keep_size'
    source = os.path.join(result.image_dir, '1-inputs.png')
    assert run_command('predict', source, *flags).returncode == 0
    np.testing.assert_array_equal(read_panels(tmp_path / '1-inputs.png', 16), outputs)


def test_jpeg_files_have_no_16_bits(tmp_path):
    Image.fromarray(photo(1)).save(str(tmp_path / '1.jpg'))
    with pytest.raises(DataError, match='1.jpg is a JPEG file, whose values have 8 bits'):
        training.train(str(tmp_path), str(tmp_path / 'out'), GRAY_16)


def test_a_folder_with_another_number_of_panels_is_named(triples, tmp_path):
    with pytest.raises(DataError, match='1.png is 192 pixels wide, so it cannot be split into 5'):
        training.train(triples, str(tmp_path), replace(TWO_INPUTS, input_panels=4))
    line = error_line(run_command('export', f'--data={triples}', f'--out={tmp_path}', '--ngf=4'), 1)
    assert 'no checkpoint' in line


@pytest.mark.post_networks
@pytest.mark.usefixtures('forked_checks')
@pytest.mark.parametrize('config', [TWO_INPUTS, GRAY_16], ids=['two inputs', 'gray, 16 bits'])
def test_models_are_converted(triples, ramps, tmp_path, config):
    data = triples if config.input_panels == 2 else ramps
    training.train(data, str(tmp_path), replace(config, max_steps=1, display_freq=0))
    source = find(str(tmp_path))
    for format in ('saved_model', 'onnx'):
        to = str(tmp_path / format)
        convert.convert(source, format, to)  # which compares the result with the checkpoint
        with open(os.path.join(to, 'README.md')) as file:
            card = file.read()
        if config.input_panels == 2:
            assert '| Images | 2 inputs and 1 output, RGB, 8 bits |' in card
            assert 'width, 6 or 3] in [-1, 1]' in card
        else:
            assert '| Images | 1 input and 1 output, gray, 16 bits |' in card
            assert 'width, 1] in [-1, 1]' in card
    rng = np.random.RandomState(1)
    image = rng.randint(0, config.white + 1, (256, 256, config.input_channels))
    image = image.astype(config.pixel_type)
    with pix2pix_tf.load(str(tmp_path), dropout=0.0) as generator:
        wanted = generator(image).astype(int)
    with pix2pix_tf.load(str(tmp_path / 'onnx' / 'model.onnx')) as generator:
        answer = generator(image)
        assert (answer.dtype, answer.shape) == (config.pixel_type, wanted.shape)
        assert np.abs(answer - wanted).max() <= 1e-4 * config.white + 1
        encoded = generator.encode(answer)
    (tmp_path / 'x.png').write_bytes(encoded)
    np.testing.assert_array_equal(read_panels(tmp_path / 'x.png', config.bits), answer)


def test_files_of_panels_are_served(triples, two_inputs):
    current = CurrentGenerator(two_inputs)
    drawing = canvas.prepare(find(two_inputs))
    jobs = JobQueue(1, 16, 60)
    client = Client(Application('m', current, drawing, jobs, Limits(), Access()), Response)
    try:
        assert client.get('/model.json').json['kind'] == 'files'
        inputs = read_panels(os.path.join(triples, '1.png'))[:, 64:]
        encoded = io.BytesIO()
        Image.fromarray(inputs).save(encoded, 'PNG')
        response = client.post('/predict?seed=3', data=encoded.getvalue())
        want = current.generator(panels.joined(inputs, 2), seed=3)
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(response.data))), want)
        metadata = client.get('/v1/models/m/metadata').json
        assert '{"size": "6", "name": ""}' in json.dumps(metadata)
        single = io.BytesIO()
        Image.fromarray(inputs[:, :64]).save(single, 'PNG')
        refused = client.post('/predict', data=single.getvalue())
        assert (refused.status_code, 'has the shape of one image' in refused.json['error']) == (
            400,
            True,
        )
    finally:
        jobs.close()
        current.generator.close()


def test_the_page_without_a_server_is_for_rgb_alone(two_inputs, tmp_path):
    with pytest.raises(UsageError, match='the page draws only one RGB image of 8 bits'):
        static_page.write(find(two_inputs), str(tmp_path / 'page'), 'x')
    assert os.listdir(str(tmp_path)) == []


def test_metrics_are_of_all_panels_and_of_each():
    rng = np.random.RandomState(1)
    output, target = (rng.randint(0, 2**16, (192, 192, 2)).astype(np.uint16) for _ in '12')
    whole = metrics.compare(output, target)
    each = metrics.compare_panels(metrics.compare, output, target, 1)
    assert set(each) == {f'{name} panel {n}' for name in metrics.NAMES for n in (1, 2)}
    for name in ('L1', 'SSIM'):
        assert whole[name] == pytest.approx(np.mean([each[f'{name} panel {n}'] for n in (1, 2)]))
    scale = np.abs(output.astype(float) - target).mean() / 65535
    assert whole['L1'] == pytest.approx(scale)
    assert metrics.compare_panels(metrics.compare, output, target, 2) == {}
    assert metrics.without_panel('SSIM panel 2') == 'SSIM'


def test_16_bits_are_scaled_without_going_through_8():
    fine = (RAMP[:64, :64] % 200 + 1000).astype(np.uint16)
    small = panels.resized(fine, (32, 32))
    assert small.shape == (32, 32, 1) and small.dtype == np.uint16
    assert 900 < small.min() < small.max() < 1300 and len(np.unique(small)) > 20


def test_the_page_says_that_it_cannot_draw_such_inputs(two_inputs):
    with served(two_inputs) as server, browsing() as page:
        page.open(server.url)
        page.wait("!document.querySelector('#about').hidden")
        about = page.run("document.querySelector('#about').textContent")
        assert about.startswith('This page draws one RGB image of 8 bits') and '/predict' in about
        assert page.run("getComputedStyle(document.querySelector('main')).display") == 'none'
        page.key('n')  # which asks for another sample, with another seed
        assert page.run("document.querySelector('#seed').value") == '1'
        assert page.errors == []
