"""From the network's pixels to PNG files (section "Evaluating")."""

import collections
import os

import tensorflow.compat.v1 as tf

from pix2pix_tf.system import files

# Of zlib: a photo takes 5% more bytes than by the default of 6, and a quarter of the time
_COMPRESSION = 1

KINDS = ('inputs', 'outputs', 'targets')


def deprocess_image(img):
    """Float in [-1, 1] => uint8 in [0, 255]; any shape."""
    img = (img + 1) / 2
    return tf.image.convert_image_dtype(img, dtype=tf.uint8, saturate=True)


def encode_pngs(images):
    """[batch, height, width, 3] uint8 => [batch] string, a PNG file each."""
    return tf.map_fn(
        lambda image: tf.image.encode_png(image, compression=_COMPRESSION), images, dtype=tf.string
    )


def output_names(paths):
    """{path: name} for the pictures made from it: the file's name without its extension.

    Where two files differ only in that (1.jpg and 1.png), it is left on.
    """
    stems = {path: os.path.splitext(os.path.basename(path))[0] for path in paths}
    count = collections.Counter(stems.values())
    return {p: stem if count[stem] == 1 else os.path.basename(p) for p, stem in stems.items()}


def filename(name, kind, sample=1):
    """What the picture of a pair is called; the second sample of an output and on have a number."""
    return f'{name}-{kind}.png' if sample == 1 else f'{name}-{kind}-{sample}.png'


def save_images(results, names, directory):
    """Writes `{name}-{kind}.png` in `directory` for every pair of a batch; returns how many.

    `results` holds 'paths' (bytes) and the PNG bytes of each of KINDS, for outputs those of every
    sample in turn; `names` is that of `output_names`. The post names the files by an undefined
    `image_dir`; here it is an argument.
    """
    written = 0
    for i, path in enumerate(results['paths']):
        name = names[os.fsdecode(path)]
        for kind in KINDS:
            samples = len(results[kind]) // len(results['paths'])
            for sample in range(samples):
                file = os.path.join(directory, filename(name, kind, sample + 1))
                files.write_whole(file, results[kind][i * samples + sample])
                written += 1
    return written
