"""Measures how close the outputs of a checkpoint are to the targets of the validation pairs.

Prints a table and writes --out/metrics.json and --out/metrics.csv, but no images. The newest
checkpoint in --out is used, as by pix2pix-export.
"""

from absl import flags

from pix2pix_tf.cli import exports

FLAGS = flags.FlagValues()
exports.define_flags(FLAGS)


def main() -> None:
    """Runs the command."""
    exports.call('evaluate', FLAGS)
