"""Prints docs/reference.md: every option and every flag. `make reference` writes the file."""

import re
from typing import Iterator

from pix2pix_tf.cli.common import default_of, flags_of
from pix2pix_tf.cli.main import COMMANDS, module_of, name_of
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
    lines += [f'- [{name_of(command)}](#{name_of(command)})' for command in COMMANDS]
    lines += ['', '## Options', '', *_option_rows()]
    for command in COMMANDS:
        words = re.sub(r'(--[\w/.]*\w)', r'`\1`', (module_of(command).__doc__ or '').strip())
        lines += ['', f'## {name_of(command)}', '', words, '', *_flag_rows(command)]
    return '\n'.join(lines) + '\n'


def _as_typed(default):
    return str(default).lower() if isinstance(default, bool) else default


def _option_rows() -> Iterator[str]:
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


def _flag_rows(command: str) -> Iterator[str]:
    known = set()
    if command == 'evaluate':
        yield 'The flags are those of [pix2pix-export](#pix2pix-export), and:'
        yield ''
        known = {flag.name for flag in flags_of(module_of('export'))}
    if command == 'train':
        known = {option.name for option in OPTIONS}
    yield '| flag | default | meaning |'
    yield '|---|---|---|'
    for flag in flags_of(module_of(command)):
        if flag.name in known:
            continue
        default = '' if flag.default is None else f'`{default_of(flag)}`'
        words = re.sub(r'`(\w+)`', r'`--\1`', flag.help).replace('|', '\\|')
        yield f'| `--{flag.name}` | {default} | {words} |'
    if command == 'train':
        yield ''
        yield 'And every [option](#options), as in `--batch_size=4`.'


if __name__ == '__main__':
    print(page(), end='')
