"""Trains pix2pix on a folder of side-by-side pairs.

Resumes from the newest checkpoint in --out, if there is one. The default --direction is that of the
known dataset in --data, otherwise BtoA: left half target, right half input.
"""

import os

from absl import flags

from pix2pix_tf import config
from pix2pix_tf.cli import common
from pix2pix_tf.distributed import launch
from pix2pix_tf.pairs import download
from pix2pix_tf.system.errors import UsageError

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
flags.DEFINE_string(
    'lpips',
    None,
    'Also evaluates by LPIPS, with the weights in this file. pix2pix-data writes it.',
    flag_values=FLAGS,
)
flags.DEFINE_boolean(
    'skip_bad_files', False, 'Trains without the files that are not pairs.', flag_values=FLAGS
)
flags.DEFINE_boolean(
    'override', False, 'Resumes with other options than those of `out`.', flag_values=FLAGS
)
flags.DEFINE_string(
    'workers',
    None,
    'Trains on several processes: how many on this machine, or host:port of each on all machines.',
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    'task',
    None,
    'Index of the address in `workers` that is of this process; 0 saves and reports.',
    flag_values=FLAGS,
)
common.define_option_flags(
    FLAGS, [o._replace(default=None) if o.name == 'direction' else o for o in config.OPTIONS]
)


def main() -> None:
    # Wrong flags are reported before TensorFlow takes its seconds to load
    values = common.option_values(FLAGS)
    values['direction'] = FLAGS.direction or download.direction_of(FLAGS.data)
    options = config.create(**values)
    if FLAGS.lpips and not (FLAGS.val_data and FLAGS.eval_freq):
        raise UsageError('`lpips` requires `val_data`, and `eval_freq` above 0')
    cluster = launch.parse(FLAGS.workers, FLAGS.task, os.environ.get('TF_CONFIG', ''))
    if isinstance(cluster, int):
        cluster = launch.start_here(cluster)
    arguments = (
        FLAGS.data,
        FLAGS.out,
        options,
        FLAGS.val_data,
        FLAGS.skip_bad_files,
        FLAGS.override,
        common.load('evaluation.image_metrics').OptionalMetrics(FLAGS.lpips),
    )
    if len(cluster.workers) > 1:
        common.load('distributed.train').train(cluster, *arguments)
    else:
        common.load('training').train(*arguments)
