"""The post's section "Evaluating": from the output of the network to PNG files."""

import collections
import os
import re
from typing import Any, Dict, Iterable, List, Sequence

import tensorflow.compat.v1 as tf

from pix2pix_tf.system import compat, files
from pix2pix_tf.system.errors import DataError

# Level of zlib: photos take 5% more bytes than with the default, 6, and a quarter of the time
_COMPRESSION = 1

KINDS = ('inputs', 'outputs', 'targets')


def deprocess_image(img: tf.Tensor) -> tf.Tensor:
    """Float in [-1, 1] => uint8 in [0, 255]; any shape."""
    img = (img + 1) / 2
    return tf.image.convert_image_dtype(img, dtype=tf.uint8, saturate=True)


def encode_pngs(images: tf.Tensor) -> tf.Tensor:
    """[batch, height, width, 3] uint8 => [batch] string: the bytes of PNG files."""
    return compat.map_fn(
        lambda image: tf.image.encode_png(image, compression=_COMPRESSION), images, dtype=tf.string
    )


def output_names(paths: Sequence[str]) -> Dict[str, str]:
    """{path: name of the images made from it}: the file name, mostly without its extension."""
    return dict(zip(paths, without_extensions([os.path.basename(path) for path in paths])))


def without_extensions(names: Sequence[str]) -> List[str]:
    """File names, without their extensions where that leaves all of them different.

    The extension stays where two names would become equal (1.jpg and 1.png), and where a name would
    become that of another file (1.jpg.png beside 1.jpg).
    """
    stems = [os.path.splitext(name)[0] for name in names]
    files_with = collections.Counter(stems)
    taken = set(names)
    return [
        stem if files_with[stem] == 1 and stem not in taken else name
        for stem, name in zip(stems, names)
    ]


def check_names(names: Dict[str, str], suffix: str) -> None:
    """Checks that `{name}{suffix}` can be the name of a file for all `names`, {path: name}.

    Raises:
        DataError: a name is too long; the message names its path.
    """
    for path, name in names.items():
        excess = len(os.fsencode(name + suffix)) - files.MAX_NAME_BYTES
        if excess > 0:
            raise DataError(
                f'{path} has too long a name for {suffix}: shorten it by {excess} bytes'
            )


def filename(name: str, kind: str, sample: int = 1) -> str:
    """The file name of an image of a pair; from sample 2 on, it ends in the sample number."""
    return f'{name}-{kind}.png' if sample == 1 else f'{name}-{kind}-{sample}.png'


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
