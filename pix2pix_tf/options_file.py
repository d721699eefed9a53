"""options.json: the options and the training data of a run, next to its checkpoints."""

import hashlib
import json
import os
import typing

from pix2pix_tf.config import OPTIONS, Config, as_written, create
from pix2pix_tf.system import files, parsing
from pix2pix_tf.system.errors import CheckpointError, Pix2PixError, UsageError

FILENAME = 'options.json'
MARK = '"ngf"'  # in every options.json of this package
_MAX_BYTES = 2**16  # of the file; ours have 2,000
# Keys that are not options: the data of the training, and the TensorFlow that wrote the file. By
# the latter, bin/choose-runtime uses the same one again.
DATA = 'data'
TENSORFLOW = 'tensorflow'
# Options that decide the shapes of variables: with others, a checkpoint cannot be restored at all
SHAPES = ('ngf', 'ndf', 'input_panels', 'output_panels', 'channels')


class Data(typing.NamedTuple):
    """The training data of a run."""

    folder: str  # absolute path
    digest: str  # of the names and sizes of its files: it stays the same when the folder moves


def describe_data(folder: str, paths: typing.Sequence[str]) -> Data:
    """The Data for the files `paths` in `folder`."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(os.fsencode(os.path.basename(path)) + b'/%d\n' % os.path.getsize(path))
    return Data(os.path.realpath(folder), digest.hexdigest()[:16])


def save(
    config: Config,
    directory: str,
    data: typing.Optional[Data] = None,
    tensorflow: typing.Optional[str] = None,
) -> None:
    """Writes options.json in `directory`; `tensorflow` is the version that runs.

    Raises:
        Pix2PixError: the file cannot be written; it is then as it was before.
    """
    files.write_together(contents(config, directory, data, tensorflow), durable=True)


def contents(
    config: Config,
    directory: str,
    data: typing.Optional[Data] = None,
    tensorflow: typing.Optional[str] = None,
) -> typing.Dict[str, bytes]:
    """The file that `save` writes: {path: bytes}."""
    values = as_written(config)
    if data:
        values[DATA] = data._asdict()
    if tensorflow:
        values[TENSORFLOW] = tensorflow
    text = json.dumps(values, indent=2) + '\n'
    return {os.path.join(directory, FILENAME): text.encode()}


def load(directory: str) -> typing.Optional[Config]:
    """The Config in options.json of `directory`; None if there is no such file.

    Options that the file lacks take their defaults; names that this version does not know are
    ignored.

    Raises:
        Pix2PixError: the file was not written by `save`; the message names the file and the option.
    """
    values = _read(directory)
    return None if values is None else parse(values, os.path.join(directory, FILENAME))


def parse(values: typing.Dict[str, typing.Any], name: str) -> Config:
    """The Config of `values`, as `load` reads them; `name` is that of their source.

    Raises:
        Pix2PixError: a value cannot be used; the message begins with 'cannot use {name}'.
    """
    try:
        names = [option.name for option in OPTIONS]
        return create(**{name: values[name] for name in names if name in values})
    except UsageError as error:
        words = str(error).replace('`', '"')  # names in the file, not flags
        raise Pix2PixError(f'cannot use {name}: {words}') from error


def load_data(directory: str) -> typing.Optional[Data]:
    """The Data in options.json of `directory`; None if it has none.

    Raises:
        Pix2PixError: the file was not written by `save`.
    """
    values = (_read(directory) or {}).get(DATA)
    if not isinstance(values, dict):
        return None
    return Data(str(values.get('folder')), str(values.get('digest')))


def _read(directory):
    path = os.path.join(directory, FILENAME)
    try:
        values = parsing.parse_json(files.read_short(path, _MAX_BYTES))
        if not isinstance(values, dict):
            raise ValueError('it has no options')
        return values
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise Pix2PixError(f'cannot use {path}: {error}') from error


def differences(directory: str, config: Config, data: typing.Optional[Data]) -> typing.List[str]:
    """The differences of `config` and `data` from the run in `directory`: a phrase for each.

    Raises:
        Pix2PixError: its options.json was not written by `save`.
    """
    saved, saved_data = load(directory), load_data(directory)
    phrases = []
    if saved:
        was, now = as_written(saved), as_written(config)
        phrases += [
            f'`{o.name}` was {was[o.name]}, now {now[o.name]}'
            for o in OPTIONS
            if not o.changeable and was[o.name] != now[o.name]
        ]
    if not (saved_data and data):
        return phrases
    if saved_data.folder != data.folder and saved_data.digest != data.digest:
        folder = saved_data.folder
        folder = folder if folder.isprintable() else repr(folder)
        phrases.append(f'`data` was {folder}, now {data.folder}')
    return phrases


def check_same(directory: str, config: Config, data: Data) -> None:
    """Checks that `config` and `data` continue the run saved in `directory`.

    Raises:
        CheckpointError: they would change it; the message names the differences.
        Pix2PixError: its options.json was not written by `save`.
    """
    different = differences(directory, config, data)
    if different:
        shapes = any(phrase.startswith(f'`{name}` ') for phrase in different for name in SHAPES)
        others = 'or another `out`' if shapes else 'another `out`, or `override`'
        raise CheckpointError(
            f'{directory} was trained with other options ({"; ".join(different)}): use the same, '
            f'{others}'
        )
