"""The input pipeline: files -> queue -> WholeFileReader -> decode -> split -> crop -> batch.

Follows the post's section "Load Data". Only builds the graph, but for reading folders and headers.
"""

import math
import os
import re
import stat
import typing
import warnings

import tensorflow.compat.v1 as tf
from PIL import Image

from pix2pix_tf.config import Config, reader_threads
from pix2pix_tf.system.errors import DataError

EXTENSIONS = ('.jpg', '.jpeg', '.png')
FORMATS = ('JPEG', 'PNG')
MAX_PIXELS = 2**24  # of a pair: what decoding and scaling one takes stays below 1 GiB
NAMED_FILES = 20  # how many bad files one message names


class Batches(typing.NamedTuple):
    """What `load_data` gives; the first four fields are the post's."""

    paths: tf.Tensor  # [batch] string
    inputs: tf.Tensor  # [batch, crop_size, crop_size, 3] float32 in [-1, 1]
    targets: tf.Tensor  # the same
    steps_per_epoch: int


def find_images(path, flag='--data'):
    """The JPEG and PNG files of the folder `path`, sorted; names that are numbers, by number.

    Raises:
        DataError: there is no such folder, or no image in it.
    """
    try:
        names = os.listdir(path)
    except OSError as error:
        raise DataError(
            f'no data folder {path} ({error.strerror}): name one with {flag}, or see `make data`'
        ) from error
    names = [name for name in names if name.lower().endswith(EXTENSIONS)]
    if not names:
        raise DataError(f'no image in {path}: it holds no file named *.jpg, *.jpeg or *.png')
    return [os.path.join(path, name) for name in sorted(names, key=_by_number)]


def _by_number(name):
    stem = os.path.splitext(name)[0]
    if re.match('[0-9]+$', stem):
        return 0, int(stem), name
    return 1, 0, name


def check_images(paths, skip_bad_files=False):
    """The paths whose files can be pairs of images, by every file's header.

    Raises:
        DataError: some can't and are not to be skipped, or none can; the message names up to
            NAMED_FILES of them, each with what is wrong with it.
    """
    faults = [(path, header_fault(path)) for path in paths]
    bad = [f'{path} {fault}' for path, fault in faults if fault]
    good = [path for path, fault in faults if not fault]
    if bad and not (skip_bad_files and good):
        rest = f'; and {len(bad) - NAMED_FILES} more' if len(bad) > NAMED_FILES else ''
        advice = 'mend or remove them, or leave them out by --skip_bad_files'
        raise DataError(f'{"; ".join(bad[:NAMED_FILES])}{rest}: {advice}')
    return good


def header_fault(path):
    """What is wrong with the header of the image at `path`, in words; None where nothing is."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return 'is not a file'
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # Pillow's, of large images, for which see below
            with Image.open(path) as image:
                format_, (width, height) = image.format, image.size
    except Image.DecompressionBombError:
        return f'has more than {MAX_PIXELS} pixels'
    except OSError as error:
        return f'can not be read as an image ({error.strerror or "its format is not known"})'
    except Exception as error:  # damaged files bring out more kinds than Pillow documents
        return f'can not be read as an image ({" ".join(str(error).split())})'
    if format_ not in FORMATS:
        return f'is a {format_} file, not JPEG or PNG'
    if width < 2 or width % 2:
        return f'is {width} pixels wide and has no two halves side by side'
    if width * height > MAX_PIXELS:
        return f'has {width}x{height} pixels, more than {MAX_PIXELS}'
    return None


def decode_image(contents):
    """Bytes of a JPEG or PNG => [height, width, 3] uint8; grey and RGBA become RGB."""
    # decode_png reads JPEG as well, to the same pixels as decode_jpeg.
    return tf.image.decode_png(contents, channels=3)


def process_image(image, offset, config=Config()):
    """[height, width, 3] uint8 => [crop_size, crop_size, 3] float32 in [-1, 1].

    With an `offset` (two int32: rows, columns) the image is scaled to scale_size and cropped from
    there; without, it is scaled to crop_size and nothing is cut off. In the post the offset is
    drawn in here, twice with one seed, which stays in step only while one thread reads; one
    offset for both halves has the same distribution and can't come apart.
    """
    # [0, 255] => [-1, 1]
    image = tf.cast(image, tf.float32) / 127.5 - 1
    scale_size = config.crop_size if offset is None else config.scale_size
    image = tf.image.resize_area(tf.expand_dims(image, 0), [scale_size, scale_size])
    image = tf.squeeze(image, 0)
    if offset is not None:
        image = _crop(image, offset, [config.crop_size, config.crop_size])
    return image


def _crop(image, offset, size):
    """[height, width, 3] => [*size, 3], from `offset` on; both are (rows, columns).

    Of a matrix TensorFlow copies rows, of tensors with more axes it copies single elements.
    """
    matrix = tf.reshape(image, [tf.shape(image)[0], -1])
    matrix = tf.slice(matrix, offset * tf.constant([1, 3]), size * tf.constant([1, 3]))
    return tf.reshape(matrix, [size[0], size[1], 3])


def random_offset(config=Config()):
    """Where to crop from: two int32 from 0 to scale_size - crop_size inclusive."""
    largest = config.scale_size - config.crop_size
    return tf.cast(tf.floor(tf.random_uniform([2], 0, largest + 1)), tf.int32)


def decode_pair(contents, offset, config=Config()):
    """Bytes of a pair => (input, target), each as of `process_image`."""
    # The left half is the target, the right half the input: labels => photo
    raw_image = decode_image(contents)
    half = tf.shape(raw_image)[:2] // [1, 2]
    left, right = _crop(raw_image, [0, 0], half), _crop(raw_image, half * [0, 1], half)
    return process_image(right, offset, config), process_image(left, offset, config)


def load_data(path, config=Config(), training=True, input_paths=None):
    """The batches of the side-by-side pairs in the folder `path`: left half target, right input.

    With `input_paths`, of these files and no others.

    For training, endless, shuffled and cropped at random. Otherwise each pair exactly once, in
    the order of `find_images`, uncropped; the last batch may be smaller.

    Raises:
        DataError: see `find_images`.
    """
    input_paths = input_paths or find_images(path)
    num_epochs = None if training else 1
    path_queue = tf.train.string_input_producer(
        input_paths, shuffle=training, num_epochs=num_epochs
    )
    reader = tf.WholeFileReader()
    paths, contents = reader.read(path_queue)
    offset = random_offset(config) if training else None
    inputs, targets = decode_pair(contents, offset, config)

    # More than one reader would mix up the order in which an export has to come.
    threads = reader_threads(config) if training else 1
    paths, inputs, targets = tf.train.batch(
        [paths, inputs, targets],
        batch_size=config.batch_size,
        capacity=max(8, 2 * threads, 2 * config.batch_size),  # 1.5 MB each at the post's size
        num_threads=threads,
        allow_smaller_final_batch=not training,
    )
    steps_per_epoch = int(math.ceil(len(input_paths) / config.batch_size))
    return Batches(paths, inputs, targets, steps_per_epoch)


def image_seeds(paths, seed, samples=1):
    """Seeds by which the noise in a picture depends on `seed` and its file's name alone.

    [batch] string => [batch * samples, 2] int64, those of a picture's samples in a row; `seed` is
    an int from 0 to 2**31 - 1. The last four bits are left to the layers.
    """
    names = tf.strings.regex_replace(paths, '.*/', '')
    of_name = tf.strings.to_hash_bucket_fast(names, 2**31 - 1) * 16
    of_sample = tf.constant([seed + (number << 31) for number in range(samples)], tf.int64)
    of_sample = tf.tile(of_sample, tf.shape(paths))
    return tf.stack([of_sample, repeat(of_name, samples)], axis=1)


def repeat(tensor, times):
    """Every element along the first axis, `times` in a row: [n, ...] => [n * times, ...]."""
    if times == 1:
        return tensor
    shape = tensor.get_shape().as_list()[1:]
    copies = tf.tile(tensor[:, None], [1, times] + [1] * len(shape))
    return tf.reshape(copies, [-1] + shape)
