"""What the commands share: flags from the table of options, and modules that need TensorFlow."""

import contextlib
import importlib
import os
import sys
from types import ModuleType
from typing import Any, Container, Dict, List, Optional, Sequence

from absl import flags

from pix2pix_tf.config import OPTIONS, Option, Size, check
from pix2pix_tf.inference import trained
from pix2pix_tf.system.errors import Pix2PixError, UsageError, how_to_install

# The meaning of --model
MODEL = (
    'Folder of a training, a checkpoint, a SavedModel or an ONNX file that pix2pix-convert has '
    'written, or the name of a generator in this package, such as facades.'
)
_OF_SHIPPED = os.path.join('out', 'models')  # the folder for what they make

_DEFINE = {
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    bool: flags.DEFINE_boolean,
    str: flags.DEFINE_string,
    Size: flags.DEFINE_string,
}


def define_option_flags(flag_values: flags.FlagValues, options: Sequence[Option] = OPTIONS) -> None:
    """Defines a flag for each of `options`, with its default."""
    for option in options:
        default = option.default
        if option.kind == Size and default is not None:
            default = str(option.as_written(default))
        _DEFINE[option.kind](option.name, default, help_of(option), flag_values=flag_values)


def help_of(option: Option) -> str:
    """The meaning of an option, with its range."""
    if option.kind is bool:
        return option.meaning
    return f'{option.meaning} Must be {option.valid.words}.'


def option_values(flag_values: flags.FlagValues) -> Dict[str, Any]:
    """{name: value} of the options that have a flag."""
    return {o.name: flag_values[o.name].value for o in OPTIONS if o.name in flag_values}


def define_changes(flag_values: flags.FlagValues, names: Container[str]) -> None:
    """Defines flags for the options `names`, without defaults: `sources` has those."""
    define_option_flags(flag_values, [o._replace(default=None) for o in OPTIONS if o.name in names])


def define_dropout_at_test(flag_values: flags.FlagValues) -> None:
    """Defines the flag with which a trained generator runs without dropout."""
    flags.DEFINE_enum(
        'dropout_at_test',
        'on',
        ['on', 'off'],
        'on: dropout stays on, as in the training; off: no noise, so the same output every time.',
        flag_values=flag_values,
    )


def given_changes(flag_values: flags.FlagValues) -> Dict[str, Any]:
    """{name: value} of the options that differ from the saved ones.

    These are the options that were given a value, and no `dropout` without `dropout_at_test`.

    Raises:
        UsageError: a value cannot be used; the message names its option.
    """
    given = {n: v for n, v in option_values(flag_values).items() if v is not None}
    for name, value in given.items():
        check(name, value)
    if flag_values.dropout_at_test == 'off':
        _check_noise_is_not_asked_for(flag_values, given)
        given['dropout'] = 0.0
    return given


def _check_noise_is_not_asked_for(flag_values, given):
    asked = []
    if 'seed' in given and not given.get('deterministic_ops'):  # which require one
        asked.append('seed')
    if 'samples' in flag_values and flag_values.samples > 1:
        asked.append('samples')
    for name in asked:
        raise UsageError(f'`{name}` requires `dropout_at_test`=on: the only noise is dropout')


def require(extra: str, *modules: str) -> None:
    """Checks that the modules of an extra can be imported.

    Raises:
        Pix2PixError: one is missing.
    """
    try:
        for module in modules:
            importlib.import_module(module)
    except ImportError as error:
        raise Pix2PixError(f'{error}: {how_to_install(extra)}') from error


def folder_of(model: str) -> str:
    """The folder of a model: `model` itself, or where its file is; below out/ for a name."""
    if trained.is_shipped(model):
        return os.path.join(_OF_SHIPPED, model)
    return model if os.path.isdir(model) else os.path.dirname(model)


def model_name(model: str) -> str:
    """The default name of a model: that of its folder, or of its ONNX file."""
    name, extension = os.path.splitext(os.path.basename(model))
    if extension == '.onnx' and os.path.basename(model) != trained.ONNX:
        return name
    return os.path.basename(os.path.abspath(folder_of(model)))


def load(module: str, model: Optional[str] = None) -> ModuleType:
    """Imports a module of pix2pix_tf that needs TensorFlow, whose start-up messages are hidden.

    They would bury the line that says what went wrong. TF_CPP_MIN_LOG_LEVEL=0 in the environment
    shows them. TensorFlow is not imported for a `model` that runs without it.

    Raises:
        Pix2PixError: TensorFlow is missing, or does not fit the packages installed next to it.
    """
    if model is not None and not trained.needs_tensorflow(model):
        return importlib.import_module('pix2pix_tf.' + module)
    # TensorFlow 2.x would load all of Keras 3, which takes a second and is not used here
    os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
    hidden = 'TF_CPP_MIN_LOG_LEVEL' not in os.environ
    with _hidden_stderr() if hidden else contextlib.ExitStack():
        _import_tensorflow()
        try:
            return importlib.import_module('pix2pix_tf.' + module)
        except ModuleNotFoundError as error:
            if (error.name or '').startswith('pix2pix_tf'):
                raise
            raise Pix2PixError(f'{error}: see `make setup`') from error


def _import_tensorflow():
    try:
        importlib.import_module('tensorflow.compat.v1')
    except Exception as error:  # packages that do not fit raise TypeError, AttributeError, ...
        cause = ' '.join(str(error).split()) or type(error).__name__
        raise Pix2PixError(f'cannot use TensorFlow ({cause[:200]}): see `make setup`') from error


@contextlib.contextmanager
def _hidden_stderr():
    """During its import, TensorFlow 2.x ignores its log level (tensorflow/tensorflow#100442)."""
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


def default_of(flag: flags.Flag) -> str:
    """The default of a flag, as one would type it."""
    return flag.default_as_str.strip("'")


def flags_of(command: ModuleType) -> List[flags.Flag]:
    """The flags of a command, in the order of their definition."""
    by_module = command.FLAGS.flags_by_module_dict()
    own = by_module.get(command.__name__, [])
    return own + [flag for defined in by_module.values() for flag in defined if flag not in own]
