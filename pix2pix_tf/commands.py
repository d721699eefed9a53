"""What the commands in bin/ share: flags from a Config, and errors as one line."""

import contextlib
import importlib
import os
import sys

from absl import app, flags

from pix2pix_tf import memory
from pix2pix_tf.config import Config
from pix2pix_tf.errors import Pix2PixError, UsageError

FLAGS = flags.FLAGS

_HELP = {
    'scale_size': 'Pixels that each half is scaled to before the crop.',
    'crop_size': 'Pixels cropped from that at random, a multiple of 256.',
    'batch_size': 'Pairs in a step.',
    'num_threads': 'Threads that read and decode images.',
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
    'seed': 'Makes a run repeatable on a CPU; needs --num_threads=1.',
}


def define_config_flags(names=Config._fields, **defaults):
    """Defines a flag for each of these Config fields, by default as in Config or `defaults`."""
    for name in names:
        default = defaults.get(name, getattr(Config(), name))
        is_float = Config.__annotations__[name] is float
        define = flags.DEFINE_float if is_float else flags.DEFINE_integer
        define(name, default, _HELP[name])


def config_values(names=Config._fields):
    """{name: value} of the flags that `define_config_flags` has defined."""
    return {name: getattr(FLAGS, name) for name in names}


def load(module):
    """Imports a room of pix2pix_tf that needs TensorFlow, without what TensorFlow has to remark.

    Its remarks on CPU features and the like would bury our own line about what went wrong.
    TF_CPP_MIN_LOG_LEVEL=0 in the environment brings them back.

    Raises:
        Pix2PixError: TensorFlow is missing, or does not fit what is installed beside it.
    """
    module = 'pix2pix_tf.' + module
    memory.keep()
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
