"""What the commands in bin/ share: flags from a Config, and errors as one line."""

import contextlib
import importlib
import os
import sys

from absl import app, flags

from pix2pix_tf.system import malloc
from pix2pix_tf.config import Config, create
from pix2pix_tf.system.errors import Pix2PixError, UsageError

FLAGS = flags.FLAGS

_HELP = {
    'scale_size': 'Pixels that each half is scaled to before the crop.',
    'crop_size': 'Pixels cropped from that at random, a multiple of 256.',
    'batch_size': 'Pairs in a step.',
    'num_threads': 'Threads that read and decode images; by default one for each core, or one with '
    '--seed.',
    'ngf': "Filters of the generator's first layer.",
    'ndf': "Filters of the discriminator's first layer.",
    'init_stddev': 'Standard deviation of the initial filters.',
    'leak': 'Slope of the leaky ReLU below 0.',
    'dropout': 'Probability of dropping in decoder 8 to 6.',
    'variance_epsilon': 'Added to the variance in batchnorm.',
    'log_epsilon': 'Added to what a logarithm is taken of in the losses.',
    'gan_weight': 'Weight of the GAN loss in the loss of the generator.',
    'l1_weight': 'Weight of the L1 loss in the loss of the generator.',
    'learning_rate': 'Of both Adam optimizers.',
    'beta1': 'Of both Adam optimizers.',
    'ema_decay': 'Decay of the averaged losses.',
    'max_epochs': 'Times that the whole data set is gone through.',
    'max_steps': 'Steps to train for in all, in place of --max_epochs.',
    'progress_freq': 'Steps between two progress reports; 0 for none.',
    'save_freq': 'Steps between two saves; 0 to save at the end only.',
    'save_secs': 'Seconds between two saves, beside --save_freq; 0 for never.',
    'keep': 'How many of the newest checkpoints are kept.',
    'seed': 'Makes a run repeatable on a CPU; one thread reads then.',
    'summary_freq': 'Steps between two rows of scalars for TensorBoard and losses.csv; 0 for none.',
    'display_freq': 'Steps between two sets of pictures for TensorBoard and, with --val_data, for '
    'development.html; 0 for none.',
    'histogram_freq': 'Steps between two sets of histograms of weights and gradients; 0 for none.',
    'trace_freq': 'Steps between two traces of what every op took; 0 for none.',
    'eval_freq': 'Steps between two evaluations of pictures in --val_data; 0 for none.',
    'eval_pictures': 'How many pictures of --val_data are looked at.',
    'xla': 'Compile the graph for the GPU by XLA.',
    'mixed_precision': 'Let a GPU compute in float16 where that is safe.',
    'memory_growth': 'Take GPU memory as it is needed, not all there is.',
    'deterministic_ops': 'Make a run repeatable on a GPU, too; needs --seed.',
}


def define_config_flags(names=Config._fields, **defaults):
    """Defines a flag for each of these Config fields, by default as in Config or `defaults`."""
    for name in names:
        default = defaults.get(name, getattr(Config(), name))
        defines = {float: flags.DEFINE_float, bool: flags.DEFINE_boolean}
        defines.get(Config.__annotations__[name], flags.DEFINE_integer)(name, default, _HELP[name])


def config_values(names=Config._fields):
    """{name: value} of the flags that `define_config_flags` has defined."""
    return {name: getattr(FLAGS, name) for name in names}


_EXPORT_OPTIONS = ('crop_size', 'batch_size', 'ngf', 'seed', 'xla', 'mixed_precision')
_EXPORT_OPTIONS += ('memory_growth', 'deterministic_ops')


def define_export_flags():
    """Defines the flags of what runs the generator on a validation set."""
    flags.DEFINE_string('data', 'data/pix2pix/facades/val', 'Folder of the validation pairs.')
    flags.DEFINE_string('out', 'out/facades', 'Folder of the checkpoints; gets what is written.')
    flags.DEFINE_string('checkpoint', None, 'Checkpoint in place of the newest: out/model-5000.')
    flags.DEFINE_boolean('skip_bad_files', False, 'Leave out the files that are no pairs.')
    flags.DEFINE_integer('samples', 1, 'Outputs for each input; from 2 on, with their diversity.')
    flags.DEFINE_string(
        'features', None, 'Frozen graph or SavedModel to take FID and KID over the features of.'
    )
    flags.DEFINE_string('features_input', None, 'Its tensor for the pictures, if in doubt.')
    flags.DEFINE_string('features_output', None, 'Its tensor of features, if in doubt.')
    flags.DEFINE_list('features_range', '0,255', 'What black and white are to it.')
    define_config_flags(_EXPORT_OPTIONS, **dict.fromkeys(_EXPORT_OPTIONS))


def export_arguments():
    """The arguments of `exporting.export` and `exporting.evaluate`, as the flags have them.

    Raises:
        UsageError: a value makes no sense; the message names its flag.
    """
    given = {name: v for name, v in config_values(_EXPORT_OPTIONS).items() if v is not None}
    create(**given)
    if FLAGS.samples < 1:
        raise UsageError(f'--samples is {FLAGS.samples}: it must be at least 1')
    try:
        low, high = map(float, FLAGS.features_range)
    except ValueError as error:
        raise UsageError(
            f'--features_range is {",".join(FLAGS.features_range)}: it must be two numbers, '
            'like -1,1'
        ) from error
    network = (FLAGS.features, FLAGS.features_input, FLAGS.features_output, low, high)
    return dict(
        given,
        data_dir=FLAGS.data,
        out_dir=FLAGS.out,
        checkpoint=FLAGS.checkpoint,
        skip_bad_files=FLAGS.skip_bad_files,
        samples=FLAGS.samples,
        network=network if FLAGS.features else None,
    )


def load(module):
    """Imports a room of pix2pix_tf that needs TensorFlow, without what TensorFlow has to remark.

    Its remarks on CPU features and the like would bury our own line about what went wrong.
    TF_CPP_MIN_LOG_LEVEL=0 in the environment brings them back.

    Raises:
        Pix2PixError: TensorFlow is missing, or does not fit what is installed beside it.
    """
    module = 'pix2pix_tf.' + module
    malloc.keep()
    try:
        with contextlib.ExitStack() as stack:
            if 'TF_CPP_MIN_LOG_LEVEL' not in os.environ:
                stack.enter_context(_hidden_stderr())
            return importlib.import_module(module)
    except ImportError as error:
        raise Pix2PixError(f'TensorFlow can not be used ({error}): see `make setup`') from error


@contextlib.contextmanager
def _hidden_stderr():
    """While it is imported, TensorFlow 2.x heeds no setting (tensorflow/tensorflow#100442)."""
    os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
    sys.stderr.flush()
    terminal = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


def run(main):
    """Parses the flags, runs `main()` and exits: 0, 1 for a failure, 2 for wrong usage.

    A Pix2PixError ends as one line on standard error.
    """
    name = os.path.basename(sys.argv[0])

    def fail(error):
        print(f'{name}: {error}', file=sys.stderr)
        sys.exit(error.exit_status)

    def parse(argv):
        try:
            rest = FLAGS(argv)
            if len(rest) > 1:
                raise UsageError(f'{rest[1]} is not a flag: see --help')
            return rest
        except flags.Error as error:
            return fail(UsageError(' '.join(str(error).split())))
        except UsageError as error:
            return fail(error)

    def checked_main(_):
        try:
            main()
        except Pix2PixError as error:
            fail(error)
        except KeyboardInterrupt:
            print(f'{name}: interrupted', file=sys.stderr)
            sys.exit(130)

    app.run(checked_main, flags_parser=parse)
