"""The post's section "Evaluating": from the output of the network to PNG files."""

import glob
import os
import re
from typing import Any, Dict, Iterable, Sequence, Tuple

import tensorflow.compat.v1 as tf

from pix2pix_tf.config import Config
from pix2pix_tf.image_names import KINDS, filename, without_extensions
from pix2pix_tf.system import compat, files
from pix2pix_tf.system.errors import UsageError

# Level of zlib: photos take 5% more bytes than with the default, 6, and a quarter of the time
_COMPRESSION = 1

UNFINISHED = '.exporting'  # file in the folder of images, until all are written


def deprocess_image(img: tf.Tensor, config: Config = Config()) -> tf.Tensor:
    """Float in [-1, 1] => uint8 in [0, 255], or with 16 bits uint16 in [0, 65535]; any shape."""
    if config.bits == 16:
        # Rounded: convert_image_dtype cuts off, which loses some of so many values
        levels = tf.clip_by_value((img + 1) * (config.white / 2), 0, config.white)
        return tf.cast(tf.round(levels), tf.uint16)
    img = (img + 1) / 2
    return tf.image.convert_image_dtype(img, dtype=tf.uint8, saturate=True)


def side_by_side(images: tf.Tensor, config: Config = Config()) -> tf.Tensor:
    """[batch, height, width, panels * channels] => [batch, height, panels * width, channels]."""
    panels = images.get_shape().as_list()[3] // config.channels
    return images if panels == 1 else tf.concat(tf.split(images, panels, axis=3), axis=2)


def encode_pngs(images: tf.Tensor, config: Config = Config()) -> tf.Tensor:
    """[batch, height, width, 3] uint8 => [batch] string: the bytes of PNG files.

    Or uint16, and with the channels of several panels, which a file has side by side.
    """
    images = side_by_side(images, config)
    return compat.map_fn(
        lambda image: tf.image.encode_png(image, compression=_COMPRESSION), images, dtype=tf.string
    )


def page_size(config: Config) -> Tuple[int, int, int]:
    """(height, width of an input, width of an output or target) of PNG files, in pixels."""
    height, width = config.crop_size
    return height, config.input_panels * width, config.output_panels * width


def output_names(paths: Sequence[str]) -> Dict[str, str]:
    """{path: name of the images made from it}: the file name, mostly without its extension."""
    return dict(zip(paths, without_extensions([os.path.basename(path) for path in paths])))


def check_replaceable(names: Iterable[str], out: str, image_dir: str) -> None:
    """Checks that the images of `names` in `image_dir`, if any exist, are of an earlier export.

    An export to `out` leaves its page or the file of a shard there. While it runs, or if it was
    killed, `image_dir` has the file UNFINISHED.

    Raises:
        UsageError: they are of another program; the message names one.
    """
    try:
        present = sorted(os.listdir(image_dir))
    except (FileNotFoundError, NotADirectoryError):
        return
    marks = [os.path.join(out, 'index.html'), os.path.join(image_dir, UNFINISHED)]
    shards = glob.glob(os.path.join(glob.escape(out), 'shard-*-of-*.json'))
    if shards or any(map(os.path.exists, marks)):
        return
    owners = set(names)
    for file in present:
        match = re.fullmatch(r'(.*)-(?:inputs|outputs|targets)(?:-[0-9]+)?\.png', file, re.S)
        if match and match.group(1) in owners:
            raise UsageError(
                f'{os.path.join(image_dir, file)} is not from an earlier export: choose another '
                'folder with `out`'
            )


def remove_stale_samples(names: Iterable[str], samples: int, image_dir: str) -> None:
    """Removes outputs of `names` that an earlier export, with more samples, has left."""
    owners = set(names)
    for file in os.listdir(image_dir):
        match = re.match(r'(.*)-outputs-([0-9]+)\.png$', file, re.S)
        if match and match.group(1) in owners and int(match.group(2)) > samples:
            os.remove(os.path.join(image_dir, file))


def save_images(results: Dict[str, Any], names: Dict[str, str], image_dir: str) -> int:
    """Writes `{name}-{kind}.png` in `image_dir` for every pair of a batch; returns how many files.

    `results` has 'paths', [batch] bytes, and for each of KINDS the bytes of PNG files, [batch] or,
    for outputs, [batch * samples], the samples of a pair side by side. `names` is {path: name}.

    Raises:
        Pix2PixError: a file cannot be written; the message names it.
    """
    written = 0
    for i, in_path in enumerate(results['paths']):
        name = names[os.fsdecode(in_path)]
        for kind in KINDS:
            samples = len(results[kind]) // len(results['paths'])
            for sample in range(samples):
                out_path = os.path.join(image_dir, filename(name, kind, sample + 1))
                files.write_whole(out_path, results[kind][i * samples + sample])
                written += 1
    return written
