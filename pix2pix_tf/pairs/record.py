"""pairs.json in a folder of pairs: how they were made, so that more can be made the same way."""

import html
import json
import os
from typing import Any, Dict, NamedTuple, Sequence, Tuple

from pix2pix_tf.pairs import inputs
from pix2pix_tf.system import files
from pix2pix_tf.system.errors import DataError, UsageError
from pix2pix_tf.system.parsing import parse_json

FILENAME = 'pairs.json'
LEGEND = 'legend.html'  # the colors of class ids
FILENAMES = (FILENAME, LEGEND)

# Options that older versions do not record, and what they did
_ADDED = {'colorize': 'none', 'channels': '3', 'bits': '8', 'range': None, 'sides': 'a,b'}

Recipe = Dict[str, Any]  # {option: value}


class Record(NamedTuple):
    """The contents of the file."""

    recipe: Recipe
    found: Dict[str, str]  # read from the files: 'labels', 'extension', 'panels'
    parts: Dict[str, str]  # {key: part}
    hashes: Dict[str, bytes]  # {key: perceptual hash}
    legend: Dict[str, str] = {}  # {class id: '#rrggbb'} of `colorize`


def read_record(to: str, recipe: Recipe) -> Record:
    """The record in the folder `to`, or a new one if it is missing or has no pair yet.

    Raises:
        UsageError: the folder was made with other options, or has files but no record.
        DataError: the record cannot be read.
    """
    path = os.path.join(to, FILENAME)
    if not os.path.lexists(path):
        try:
            others = [name for name in os.listdir(to) if not _is_ours(name)]
        except FileNotFoundError:
            others = []
        except OSError as error:
            raise UsageError(f'`to` is {to}: {error.strerror}') from error
        if others:
            raise UsageError(
                f'{to} has files already ({others[0]}), but no {FILENAME}: choose another `to`'
            )
        return Record(recipe, {}, {}, {})
    try:
        saved = parse_json(files.read(path))
        hashes = {key: bytes.fromhex(digits) for key, digits in saved['hashes'].items()}
        legend = dict(saved.get('legend', {}))  # older versions have none
        record = Record(saved['recipe'], saved['found'], saved['parts'], hashes, legend)
        was = dict(record.recipe)
        for name, default in _ADDED.items():
            if name in recipe:
                was.setdefault(name, default)
        if 'input' in was:
            was['input'] = inputs.current_name(was['input'])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f'{path} is damaged: remove {to} and make it again') from error
    changed = [name for name in recipe if was.get(name) != recipe[name]]
    if changed and not _has_pairs(to):  # an earlier try made none
        return Record(recipe, {}, {}, {})
    if changed:
        name = changed[0]
        words = {'command': 'by', 'sources': 'from'}.get(name, f'with `{name}`')
        raise UsageError(
            f'{to} was made {words} {_in_words(was.get(name))}, not {_in_words(recipe[name])}: use '
            'the same, or another `to`'
        )
    return record


def recipe_of(folder: str) -> Recipe:
    """How the pairs in `folder`, or those of the parts in it, were made; {} if that is unknown."""
    return _read(folder, 'recipe')


def panels_in(folder: str) -> Tuple[str, ...]:
    """a or b for each panel of the files in `folder` or in parts of it; () if that is unknown."""
    listed = _read(folder, 'found').get('panels')
    return tuple(listed.split(',')) if isinstance(listed, str) else ()


def describe_flags(panels: Sequence[str]) -> str:
    """The flags of a training on files of these panels, which learns A."""
    return f'`output_panels`={panels.count("a")} and `input_panels`={panels.count("b")}'


def _read(folder, name):
    """A dictionary in the record of `folder`, or of the folder above; {} if there is none."""
    for directory in (folder, os.path.dirname(os.path.abspath(folder))):
        try:
            value = parse_json(files.read(os.path.join(directory, FILENAME)))[name]
        except (DataError, ValueError, LookupError, TypeError):
            continue
        if isinstance(value, dict):
            return value
    return {}


def _has_pairs(to):
    for _, folders, names in os.walk(to):
        folders[:] = [name for name in folders if not name.startswith('.')]
        if any(name not in FILENAMES and not _is_ours(name) for name in names):
            return True
    return False


def _in_words(value):
    return ' and '.join(value) if isinstance(value, list) else value


def _is_ours(name):
    return name.startswith('.')


def write_record(to: str, record: Record) -> None:
    """Writes the record to the folder `to`, and a page with the colors of class ids, if it has any.

    Raises:
        Pix2PixError: it cannot be written.
    """
    fields = dict(record._asdict())
    fields['hashes'] = {key: value.hex() for key, value in record.hashes.items()}
    contents = json.dumps(fields, indent=1, sort_keys=True) + '\n'
    files.write_whole(os.path.join(to, FILENAME), contents.encode(), durable=True)
    if record.legend:
        files.write_whole(os.path.join(to, LEGEND), _legend(record.legend).encode())


def _legend(legend):
    rows = ''.join(
        f'<tr><td>{html.escape(one)}<td style="background:{color}">&emsp;<td>{color}\n'
        for one, color in sorted(legend.items(), key=lambda item: int(item[0]))
    )
    return (
        '<!DOCTYPE html><meta charset="utf-8"><title>Class ids</title>\n'
        f'<table><tr><th>class id<th><th>color\n{rows}</table>\n'
    )
