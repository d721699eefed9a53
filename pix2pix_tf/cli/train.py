"""Trains pix2pix on a folder of side-by-side pairs: left half target, right half input.

Resumes from the newest checkpoint in --out, if there is one.
"""

from absl import flags

from pix2pix_tf import config
from pix2pix_tf.cli import common

FLAGS = flags.FlagValues()

flags.DEFINE_string(
    'data', 'data/pix2pix/facades/train', 'Folder of the training pairs.', flag_values=FLAGS
)
flags.DEFINE_string(
    'out', 'out/facades', 'Folder for checkpoints, options and losses.', flag_values=FLAGS
)
flags.DEFINE_string(
    'val_data',
    None,
    'Folder of validation pairs, some of which are evaluated during training.',
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    'skip_bad_files', False, 'Trains without the files that are not pairs.', flag_values=FLAGS
)
flags.DEFINE_boolean(
    'override', False, 'Resumes with other options than those of `out`.', flag_values=FLAGS
)
common.define_option_flags(FLAGS)


def main() -> None:
    """Runs the command."""
    # Before TensorFlow takes its seconds to load, wrong flags are reported
    options = config.create(**common.option_values(FLAGS))
    training = common.load('training')
    training.train(
        FLAGS.data, FLAGS.out, options, FLAGS.val_data, FLAGS.skip_bad_files, FLAGS.override
    )
