"""Prints docs/reference.md: every option and every flag. `make reference` writes the file."""

import importlib
import re
import types
import typing

from pix2pix_tf.cli import common, evaluate, export, train
from pix2pix_tf.config import OPTIONS


def page() -> str:
    """The whole page, as Markdown."""
    lines = [
        '# Reference',
        '',
        '<!-- `make reference` writes this file from the table of options and the flags. -->',
        '',
        '- [Options](#options)',
    ]
    commands = [importlib.import_module('pix2pix_tf.cli.' + name) for name in common.COMMANDS]
    lines += [f'- [{common.name_of(command)}](#{common.name_of(command)})' for command in commands]
    lines += ['', '## Options', '', *_option_rows()]
    for command in commands:
        words = re.sub(r'(--[\w/.]*\w)', r'`\1`', (command.__doc__ or '').strip())
        lines += ['', f'## {common.name_of(command)}', '', words, '', *_flag_rows(command)]
    return '\n'.join(lines) + '\n'


def _as_typed(default):
    return str(default).lower() if isinstance(default, bool) else default


def _option_rows() -> typing.Iterator[str]:
    yield (
        'The fields of `Config`, the names in `options.json` and the flags of `pix2pix-train`. A '
        'resumed run may change those marked "yes"; the others need `--override`.'
    )
    yield ''
    yield '| option | default | value | meaning | change on resume |'
    yield '|---|---|---|---|---|'
    for o in OPTIONS:
        default = '' if o.default is None else f'`{_as_typed(o.as_written(o.default))}`'
        changeable = 'yes' if o.changeable else 'no'
        yield f'| `{o.name}` | {default} | {o.valid.words} | {o.meaning} | {changeable} |'


def _flag_rows(command: types.ModuleType) -> typing.Iterator[str]:
    known = set()
    if command is evaluate:
        yield f'The flags are those of [{common.name_of(export)}](#{common.name_of(export)}), and:'
        yield ''
        known = {flag.name for flag in common.flags_of(export)}
    options = [option.name for option in OPTIONS]
    yield '| flag | default | meaning |'
    yield '|---|---|---|'
    for flag in common.flags_of(command):
        if flag.name in known or (command is train and flag.name in options):
            continue
        default = '' if flag.default is None else f'`{common.default_of(flag)}`'
        words = re.sub(r'`(\w+)`', r'`--\1`', flag.help).replace('|', '\\|')
        yield f'| `--{flag.name}` | {default} | {words} |'
    if command is train:
        yield ''
        yield 'And every [option](#options), as in `--batch_size=4`.'


if __name__ == '__main__':
    print(page(), end='')
