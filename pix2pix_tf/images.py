"""From the network's output to PNG files (the post's section "Evaluating")."""

import collections
import os
import typing

import tensorflow.compat.v1 as tf

from pix2pix_tf.system import files

# Of zlib: photos take 5% more bytes than with the default of 6, and a quarter of the time
_COMPRESSION = 1

KINDS = ('inputs', 'outputs', 'targets')


def deprocess_image(img: tf.Tensor) -> tf.Tensor:
    """Float in [-1, 1] => uint8 in [0, 255]; any shape."""
    img = (img + 1) / 2
    return tf.image.convert_image_dtype(img, dtype=tf.uint8, saturate=True)


def encode_pngs(images: tf.Tensor) -> tf.Tensor:
    """[batch, height, width, 3] uint8 => [batch] string, a PNG file each."""
    return tf.map_fn(
        lambda image: tf.image.encode_png(image, compression=_COMPRESSION), images, dtype=tf.string
    )


def output_names(paths: typing.Sequence[str]) -> typing.Dict[str, str]:
    """{path: name of the images made from it}: the file name without its extension.

    The extension stays where two files differ only in it (1.jpg and 1.png).
    """
    stems = {path: os.path.splitext(os.path.basename(path))[0] for path in paths}
    count = collections.Counter(stems.values())
    return {p: stem if count[stem] == 1 else os.path.basename(p) for p, stem in stems.items()}


def filename(name: str, kind: str, sample: int = 1) -> str:
    """The file name of one image of a pair; from the second sample on it ends in a number."""
    return f'{name}-{kind}.png' if sample == 1 else f'{name}-{kind}-{sample}.png'


def save_images(
    results: typing.Dict[str, typing.Any], names: typing.Dict[str, str], image_dir: str
) -> int:
    """Writes `{name}-{kind}.png` in `image_dir` for every pair of a batch; returns how many files.

    `results` has 'paths' (bytes) and the PNG bytes of each of KINDS, for outputs all samples of a
    pair one after the other; `names` comes from `output_names`.

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
