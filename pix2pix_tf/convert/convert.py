"""Converts a trained generator to a format that others run, and checks what was written."""

import dataclasses
import importlib.util
import os
import subprocess
import sys
from typing import Any, Dict, NamedTuple, Optional

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image

from pix2pix_tf import options_file, session
from pix2pix_tf.convert import card, saved_model, tflite
from pix2pix_tf.inference import variables
from pix2pix_tf.inference.generator import Generator
from pix2pix_tf.inference.masks import shapes as mask_shapes
from pix2pix_tf.inference.noise import image_seeds
from pix2pix_tf.inference.tensorflow_network import TensorFlowNetwork
from pix2pix_tf.inference.trained import Trained, saved_data, saved_options
from pix2pix_tf.model import build_generator
from pix2pix_tf.ops import kept_values
from pix2pix_tf.pairs import draw, panels
from pix2pix_tf.system import compat, files, temporary
from pix2pix_tf.system.errors import Pix2PixError, UsageError, how_to_install

FORMATS = ('saved_model', 'onnx', 'tflite')
WEIGHTS = ('float32', 'float16', 'int8')

# The largest allowed difference from the checkpoint, in [-1, 1]. PNG files are rounded: 2 values.
_TOLERANCES = {'float32': 1e-4, 'float16': 0.02, 'int8': 0.2}

_USAGE = {
    'saved_model': 'Signatures: `serving_default` takes the bytes of image files and returns those '
    'of PNG files, {seeded}`floats` takes and returns float32 '
    '[batch, height, width, {channels}] in [-1, 1]. TensorFlow Serving serves this folder. '
    'Transparent parts of an image file become white, as in the training. Its EXIF orientation is '
    'not applied: turn images upright first, as the server of pix2pix_tf does.',
    'onnx': '`input` and `output` are float32 [batch, height, width, {channels}] in [-1, 1]; '
    'height and width are multiples of 256. pix2pix_tf takes the file as a model, by its metadata.',
    'tflite': 'Input and output are float32 [1, height, width, {channels}] in [-1, 1].',
}
_USAGE_OF_PANELS = (
    ' The channels are those of the panels, one after the other; in a file, panels are side by '
    'side.'
)
_USAGE_OF_SEEDS = '`seeded` also takes a seed per image, '
_USAGE_OF_MASKS = (
    ' `mask_8`, `mask_7` and `mask_6` are the noise: dropout multiplies by them, 0 or '
    '1 / (1 - dropout).'
)


class Converted(NamedTuple):
    path: str
    difference: Optional[float]  # the largest from the checkpoint, in [-1, 1]; None: not checked


def convert(
    source: Trained,
    format: str,
    to: str,
    weights: str = 'float32',
    masks: bool = False,
    canvas: Optional[Dict[str, Any]] = None,
) -> Converted:
    """Writes the generator of `source` to the folder `to`, with a model card and options.json.

    `format` is one of FORMATS; a SavedModel goes to a folder named after its step, and has the
    dropout of `source.config`, which `trained.find(model, dropout=0)` turns off. `weights` (not
    for a SavedModel) is the type of the stored filters. `masks` (ONNX only) makes the noise an
    input, and `canvas` is what an ONNX file has for the page. The result is run on three images in
    a separate process and compared with the checkpoint; a result that differs or does not load is
    removed. Without onnxruntime an ONNX file is not run.

    Raises:
        UsageError: an argument is invalid, the result exists already, or `to` has another model or
            a README.md of another program.
        CheckpointError: the checkpoint is missing or damaged, or does not fit.
        Pix2PixError: the result differs or does not load, or cannot be written.
    """
    compat.use_graph_mode()
    name = _check(source, format, weights, masks)
    path = os.path.join(to, name)
    if os.path.exists(path):
        raise UsageError(f'{path} exists already: remove it, or choose another folder with `to`')
    card_path = os.path.join(to, 'README.md')
    files.check_ours(card_path, card.MARK)
    if os.path.exists(os.path.join(to, 'checkpoint')) and not os.path.samefile(to, source.folder):
        raise UsageError(f'{to} is the folder of another training: choose another with `to`')
    files.check_ours(os.path.join(to, options_file.FILENAME), options_file.MARK)
    saved, data = saved_options(source), saved_data(source)
    others = options_file.differences(to, saved, data)
    if others:
        raise UsageError(f'{to} has another model ({others[0]}): choose another folder with `to`')
    is_new = not os.path.exists(to)
    files.prepare_directory(to)
    try:
        with temporary.folder_in(to, '.converting-') as folder:
            written = os.path.join(folder, name)
            _write(source, format, written, weights, masks, canvas)
            difference = _compare(source, format, written, masks, folder)
            limit = _tolerance(source.config, format, weights)
            if difference is not None and not difference <= limit:
                raise Pix2PixError(
                    f'the {format} differs from the checkpoint by {difference:.2g} of 2 (allowed: '
                    f'{limit:.2g}); it was removed'
                )
            os.rename(written, path)
    except OSError as error:
        raise files.unwritable(path, error) from error
    finally:
        if is_new and not os.listdir(to):
            os.rmdir(to)
    usage = _usage(source.config, format) + (_USAGE_OF_MASKS if masks else '')
    uses = dict(card.read_uses(to), **{format: f'`{name}`, step {source.step}: {usage}'})
    text = card.write(source, {one: uses[one] for one in FORMATS if one in uses})
    files.write_whole(card_path, text.encode())
    options_file.save(saved, to, data, tf.__version__)
    return Converted(path, difference)


def _tolerance(config, format, weights):
    if format != 'saved_model':
        return _TOLERANCES[weights]
    of_files = 2 / (config.white / 2)
    return of_files if config.bits == 8 else of_files + _TOLERANCES['float32']


def _usage(config, format):
    """How the result is used: a line of Markdown."""
    numbers = [config.input_channels, config.output_channels]
    channels = str(numbers[0]) if numbers[0] == numbers[1] else f'{numbers[0]} or {numbers[1]}'
    seeded = _USAGE_OF_SEEDS if config.dropout else ''
    usage = _USAGE[format].format(channels=channels, seeded=seeded)
    return usage + (_USAGE_OF_PANELS if config.panels > 2 else '')


def _check(source, format, weights, masks):
    """Checks the arguments; returns the name of the result in its folder."""
    if format not in FORMATS:
        raise UsageError(f'`format` is {format}: it must be one of {", ".join(FORMATS)}')
    if weights not in WEIGHTS:
        raise UsageError(f'`weights` is {weights}: it must be one of {", ".join(WEIGHTS)}')
    if weights != 'float32' and format == 'saved_model':
        raise UsageError('`weights` requires ONNX or TFLite: a SavedModel has the variables')
    if masks and format != 'onnx':
        raise UsageError('`masks` requires ONNX')
    if format == 'onnx' and importlib.util.find_spec('onnx') is None:
        raise Pix2PixError(f'ONNX needs the package onnx: {how_to_install("onnx")}')
    return {'saved_model': str(source.step), 'onnx': 'model.onnx', 'tflite': 'model.tflite'}[format]


def _write(source, format, path, weights, masks, canvas):
    if format == 'saved_model':
        saved_model.write(source, path)
    elif format == 'onnx':
        from pix2pix_tf.convert import onnx  # here, because the library may be missing

        onnx.write(source, path, weights, masks, canvas)
    else:
        with open(path, 'wb') as file:
            file.write(tflite.build(source, weights))


def _compare(source, format, path, masks, folder):
    """The largest difference from the checkpoint in a separate process; None: it cannot run."""
    if format == 'onnx' and importlib.util.find_spec('onnxruntime') is None:
        return None
    inputs, expected = _expected(source, format, masks)
    inputs_path, outputs_path = (os.path.join(folder, f'{n}.npz') for n in ('inputs', 'outputs'))
    np.savez(inputs_path, **inputs)
    process = subprocess.run(
        [sys.executable, '-m', 'pix2pix_tf.convert.verify', format, path]
        + [inputs_path, outputs_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        env=dict(os.environ, CUDA_VISIBLE_DEVICES='-1'),  # this process holds the GPU's memory
    )
    if process.returncode != 0:
        last = (process.stdout.strip().splitlines() or [f'status {process.returncode}'])[-1]
        raise Pix2PixError(f'the {format} does not load, and was removed: {last}')
    with np.load(outputs_path) as file:
        return float(np.abs(file['outputs'] - expected).max())


def _expected(source, format, masks):
    """(inputs of the converted generator, outputs of the checkpoint for them)."""
    seeds, config = np.arange(3), source.config
    pixels = [_drawn(config, int(seed)) for seed in seeds]
    if format == 'saved_model':
        with Generator(source, TensorFlowNetwork(source)) as generator:
            outputs = [generator(image, seed=int(n)) for n, image in zip(seeds, pixels)]
        files, expected = (
            np.stack([panels.side_by_side(image, config.channels) for image in group])
            for group in (pixels, outputs)
        )
        inputs = {'pixels': files}
        if config.dropout:
            inputs['seeds'] = seeds
        return inputs, expected / np.float32(config.white / 2) - 1
    images = np.stack(pixels) / np.float32(config.white / 2) - 1
    config = config if masks else dataclasses.replace(config, dropout=0.0)
    return _run_checkpoint(source._replace(config=config), images, seeds, masks)


def _drawn(config, seed):
    """An input, [*crop_size, input_channels]: a drawn label map for each panel."""
    height, width = config.crop_size
    drawn = []
    for number in range(config.input_panels):
        labels = draw.draw_labels(draw.draw_plan(np.random.RandomState(seed + 1000 * number)))
        image = Image.fromarray(labels).resize((width, height), Image.NEAREST)
        pixels = np.asarray(image if config.channels == 3 else image.convert('L'))
        drawn.append(pixels.reshape((height, width, config.channels)))
    return panels.to_bits(np.concatenate(drawn, axis=2), config.bits)


def _run_checkpoint(source, images, seeds, masks):
    """(`images` and the masks of `seeds` by name, outputs of the checkpoint)."""
    results: Dict[str, list] = {}
    proto = session.session_config(source.config)
    proto.device_count['GPU'] = 0  # whose float32 may be less exact
    with tf.Graph().as_default(), tf.Session(config=proto) as sess:
        image = tf.placeholder(tf.float32, [1, *images.shape[1:]])
        seed = tf.placeholder(tf.int64, [])
        noise = image_seeds(image, seed)
        fetches = {'output': build_generator(image, source.config, noise)}
        if masks:
            fetches.update(_masks(source.config, noise[0]))
        variables.restore(source, sess)
        for one, number in zip(images, seeds):
            values = sess.run(fetches, {image: one[None], seed: number})
            for name, value in values.items():
                results.setdefault(name, []).append(value[0])
    stacked = {name: np.stack(values) for name, values in results.items()}
    outputs = stacked.pop('output')
    return dict(stacked, images=images), outputs


def _masks(config, seed):
    """The masks that `ops.dropout` applies with `seed`, [2] int64."""
    shapes = mask_shapes(config.crop_size, config.ngf)
    for layer, (name, shape) in enumerate(shapes.items()):
        kept = kept_values([1, *shape], config.dropout, seed + [0, layer])
        yield name, tf.cast(kept, tf.float32) / (1 - config.dropout)
