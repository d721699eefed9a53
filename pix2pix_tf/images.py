"""From the network's pixels to PNG files (section "Evaluating")."""

import collections
import os

import tensorflow.compat.v1 as tf

from pix2pix_tf import files

KINDS = ('inputs', 'outputs', 'targets')


def deprocess_image(img):
    """Float in [-1, 1] => uint8 in [0, 255]; any shape."""
    img = (img + 1) / 2
    return tf.image.convert_image_dtype(img, dtype=tf.uint8, saturate=True)


def encode_pngs(images):
    """[batch, height, width, 3] float in [-1, 1] => [batch] string, a PNG file each."""
    return tf.map_fn(tf.image.encode_png, deprocess_image(images), dtype=tf.string)


def output_names(paths):
    """{path: name} for the pictures made from it: the file's name without its extension.

    Where two files differ only in that (1.jpg and 1.png), it is left on.
    """
    stems = {path: os.path.splitext(os.path.basename(path))[0] for path in paths}
    count = collections.Counter(stems.values())
    return {p: stem if count[stem] == 1 else os.path.basename(p) for p, stem in stems.items()}


def save_images(results, names, directory):
    """Writes `{name}-{kind}.png` in `directory` for every pair of a batch; returns how many.

    `results` holds 'paths' (bytes) and the PNG bytes of each of KINDS; `names` is that of
    `output_names`. The post names the files by an undefined `image_dir`; here it is an argument.
    """
    for i, path in enumerate(results['paths']):
        name = names[os.fsdecode(path)]
        for kind in KINDS:
            files.write_whole(os.path.join(directory, f'{name}-{kind}.png'), results[kind][i])
    return len(results['paths']) * len(KINDS)
