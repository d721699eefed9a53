"""Writes the input, output and target of every validation pair as PNG files.

They go to --out/images, with a page that shows them, --out/index.html, and the metrics of
pix2pix-evaluate. The newest checkpoint in --out is used, with the options saved next to it. Options
given as flags replace the saved ones.
"""

from absl import flags

from pix2pix_tf.cli import exports

FLAGS = flags.FlagValues()
exports.define_flags(FLAGS)


def main() -> None:
    exports.call('export', FLAGS)
