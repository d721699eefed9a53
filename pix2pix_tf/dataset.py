"""The input pipeline: files -> queue -> WholeFileReader -> decode -> split -> crop -> batch.

The post's section "Load Data". Only builds the graph.
"""

import math
import os
from typing import NamedTuple, Optional, Sequence, Tuple

import tensorflow.compat.v1 as tf

from pix2pix_tf.config import Config
from pix2pix_tf.system import machine

MAX_READER_THREADS = 8  # together they read hundreds of images per second; a training needs a few


class Batches(NamedTuple):
    """The post's batches of images, and the number of steps in an epoch."""

    paths: tf.Tensor  # [batch] string
    inputs: tf.Tensor  # [batch, height, width, input_channels] float32 in [-1, 1], of crop_size
    targets: tf.Tensor  # the same with output_channels
    steps_per_epoch: int


def decode_image(contents: tf.Tensor, config: Config = Config()) -> tf.Tensor:
    """The bytes of a JPEG or PNG => [height, width, 3] uint8; gray becomes RGB, transparent white.

    The pixels of a PNG are those of `pairs.read.read_image`. With the options for it, the result
    has one channel, or values of 16 bits (int32) from a PNG; those of 8 bits become 257 times that.
    """
    # decode_png also reads JPEG, to the same pixels as decode_jpeg
    image = tf.image.decode_png(contents, dtype=config.pixel_type)
    if config.bits == 16:
        image = tf.cast(image, tf.int32)  # few ops take uint16
    # [height, width, 1 or 3, and 1 more for alpha]
    has_alpha = tf.equal(tf.shape(image)[2] % 2, 0)
    image = tf.cond(has_alpha, lambda: flatten(image), lambda: image)
    if config.channels == 1:
        has_colors = tf.equal(tf.shape(image)[2], 3)
        image = tf.cond(has_colors, lambda: to_gray(image), lambda: image)
    else:
        image = tf.tile(image, [1, 1, 3 // tf.shape(image)[2]])
    image.set_shape([None, None, config.channels])
    return image


def to_gray(image: tf.Tensor) -> tf.Tensor:
    """[height, width, 3] => [height, width, 1] of the same type: the luma, as Pillow rounds it."""
    weighted = tf.cast(image, tf.int64) * tf.constant([19595, 38470, 7471], tf.int64)
    luma = (tf.reduce_sum(weighted, axis=2, keepdims=True) + 2**15) // 2**16
    return tf.cast(luma, image.dtype)


def flatten(image: tf.Tensor) -> tf.Tensor:
    """[height, width, channels + 1] => [height, width, channels] of the same type, on white.

    The type is uint8, or int32 for values of 16 bits.
    """
    if image.dtype == tf.int32:
        white = 2**16 - 1
        image = tf.cast(image, tf.float64)
        colors, alpha = image[..., :-1], image[..., -1:]
        return tf.cast(tf.round((colors * alpha + white * (white - alpha)) / white), tf.int32)
    image = tf.cast(image, tf.float32)
    colors, alpha = image[..., :-1], image[..., -1:]
    # Rounded, and exact: 256 levels of 256 fit into float32
    scaled = colors * alpha + 255 * (255 - alpha) + 128
    return tf.cast((scaled + scaled // 256) // 256, tf.uint8)


def process_image(
    image: tf.Tensor,
    offset: Optional[tf.Tensor],
    config: Config = Config(),
    mirrored: Optional[tf.Tensor] = None,
) -> tf.Tensor:
    """[height, width, 3] uint8 => [*crop_size, 3] float32 in [-1, 1]; or with other channels.

    With an `offset` (two int32: rows, columns) the image is scaled to scale_size and cropped at
    that offset. Without one it is scaled to crop_size and not cropped. The post draws the offset
    here, once per half with the same seed, so the halves match only while a single thread reads.
    One offset for both halves has the same distribution and always matches.

    If `mirrored` (a scalar bool) is true, left and right change places after the crop.
    """
    # [0, 255] => [-1, 1]
    image = tf.cast(image, tf.float32) / (config.white / 2) - 1
    size = config.crop_size if offset is None else config.scale_size
    image = tf.image.resize_images(image, size, method=tf.image.ResizeMethod.AREA)
    if offset is not None:
        image = tf.image.crop_to_bounding_box(image, offset[0], offset[1], *config.crop_size)
    if mirrored is not None:
        image = tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)
    return image


def random_offset(config: Config = Config()) -> tf.Tensor:
    """The corner of a crop: rows and columns, int32 from 0 to scale_size - crop_size inclusive."""
    count = [float(s - c + 1) for s, c in zip(config.scale_size, config.crop_size)]
    return tf.cast(tf.floor(tf.random_uniform([2], 0, count)), tf.int32)


def random_coin() -> tf.Tensor:
    """A scalar bool, true half of the time."""
    return tf.random_uniform([]) < 0.5


def decode_pair(
    contents: tf.Tensor,
    offset: Optional[tf.Tensor],
    config: Config = Config(),
    mirrored: Optional[tf.Tensor] = None,
) -> Tuple[tf.Tensor, tf.Tensor]:
    """The bytes of a pair => input and target, each [*crop_size, 3] float32 in [-1, 1].

    Of several panels, the channels come one after the other. For `offset` and `mirrored`, see
    `process_image`.
    """
    raw_image = decode_image(contents, config)
    if config.panels == 2:
        width = tf.shape(raw_image)[1]
        left, right = raw_image[:, : width // 2], raw_image[:, width // 2 :]
    else:
        panels = tf.split(raw_image, config.panels, axis=1)
        middle = config.output_panels if config.direction == 'BtoA' else config.input_panels
        left, right = (tf.concat(part, axis=2) for part in (panels[:middle], panels[middle:]))
    # BtoA is the post's direction, labels => photo: the input is the right half
    inputs, targets = (right, left) if config.direction == 'BtoA' else (left, right)
    return (
        process_image(inputs, offset, config, mirrored),
        process_image(targets, offset, config, mirrored),
    )


def load_data(
    input_paths: Sequence[str],
    config: Config = Config(),
    training: bool = True,
    path_queue: Optional[tf.FIFOQueue] = None,
) -> Batches:
    """Batches of the side-by-side pairs in the files `input_paths`.

    For training the batches are endless, shuffled and cropped at random, and mirrored at random
    with `flip`. Otherwise each pair comes once, in the given order, uncropped and not mirrored; the
    last batch may be smaller. If there is a `path_queue`, the paths are read from it instead.
    """
    if path_queue is None:
        path_queue = tf.train.string_input_producer(
            [os.fsencode(path) for path in input_paths],
            shuffle=training,
            num_epochs=None if training else 1,
        )
    reader = tf.WholeFileReader()
    paths, contents = reader.read(path_queue)
    offset = random_offset(config) if training else None
    mirrored = random_coin() if training and config.flip else None
    inputs, targets = decode_pair(contents, offset, config, mirrored)

    # Several threads would not keep the order, which an export needs
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


def reader_threads(config: Config) -> int:
    """`num_threads`, or its default: one per core but at most 8, or one with a `seed`."""
    if config.num_threads is None:
        return 1 if config.seed is not None else min(MAX_READER_THREADS, machine.cores())
    return config.num_threads
