"""Measures how close the outputs of a checkpoint are to the targets of the validation pairs.

Prints a table and writes --out/metrics.json and --out/metrics.csv, but no images. The newest
checkpoint in --out is used, as by pix2pix-export.
"""

from absl import flags

from pix2pix_tf.cli import common, exports
from pix2pix_tf.system.errors import UsageError

FLAGS = flags.FlagValues()
exports.define_flags(FLAGS)
flags.DEFINE_boolean(
    'join', False, 'Joins the parts that `shard` has left in `out`.', flag_values=FLAGS
)


def main() -> None:
    if FLAGS.join:
        others = [name for name in FLAGS if FLAGS[name].present and name not in ('join', 'out')]
        if others:
            raise UsageError(f'`{others[0]}` cannot be used with `join`')
        common.load('exporting').join(FLAGS.out)
    else:
        exports.call('evaluate', FLAGS)
