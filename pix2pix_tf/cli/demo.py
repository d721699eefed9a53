"""Draws a small dataset to try pix2pix on: facades and their label maps.

Writes --root/train and --root/val. The same --seed draws the same pairs.
"""

import os

from absl import flags

from pix2pix_tf.config import SEED
from pix2pix_tf.pairs import draw
from pix2pix_tf.system.console import count, print_line
from pix2pix_tf.system.errors import UsageError

FLAGS = flags.FlagValues()
flags.DEFINE_string('root', 'data/demo', 'Folder for train/ and val/.', flag_values=FLAGS)
flags.DEFINE_integer('train_pairs', 100, 'Pairs in train/.', flag_values=FLAGS)
flags.DEFINE_integer('val_pairs', 12, 'Pairs in val/.', flag_values=FLAGS)
flags.DEFINE_integer('seed', 1, 'Other numbers draw other facades.', flag_values=FLAGS)


def main() -> None:
    for name in ('train_pairs', 'val_pairs'):
        if FLAGS[name].value < 1:
            raise UsageError(f'`{name}` is {FLAGS[name].value}: it must be at least 1')
    if not SEED.contains(FLAGS.seed):
        raise UsageError(f'`seed` is {FLAGS.seed}: it must be {SEED.words}')
    draw.write_pairs(os.path.join(FLAGS.root, 'train'), FLAGS.train_pairs, FLAGS.seed)
    draw.write_pairs(os.path.join(FLAGS.root, 'val'), FLAGS.val_pairs, FLAGS.seed + 1)
    pairs = count(FLAGS.train_pairs, 'pair')
    print_line(f'drew {pairs} for training and {FLAGS.val_pairs} for validation in {FLAGS.root}')
