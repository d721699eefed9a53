"""Plots a training: losses and validation metrics over steps, as --out/curves.png."""

from absl import flags

from pix2pix_tf.cli import common
from pix2pix_tf.system.console import print_line

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    'out', 'out/facades', 'Folder of the training, with its losses.csv.', flag_values=FLAGS
)


def main() -> None:
    print_line(common.load('monitoring.plot').plot(FLAGS.out))
