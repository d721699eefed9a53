"""Runs the commands: pix2pix-train and the others, and `python -m pix2pix_tf train`.

This is where arguments are parsed, and where errors become one line and an exit status.
"""

import contextlib
import difflib
import functools
import importlib
import os
import re
import sys
from types import ModuleType
from typing import Iterator, List, NoReturn, Optional, Sequence

from absl import flags

from pix2pix_tf.cli.common import default_of, flags_of
from pix2pix_tf.system.console import print_line
from pix2pix_tf.system.errors import Pix2PixError, UsageError, with_flags

COMMANDS = (
    *('train', 'export', 'evaluate', 'predict', 'convert', 'serve', 'page'),
    *('plot', 'data', 'demo', 'pairs'),
)

_KINDS = {'int': 'a whole number', 'float': 'a number', 'bool': 'true or false'}


def run(
    command: str, arguments: Optional[Sequence[str]] = None, typed: Optional[str] = None
) -> NoReturn:
    """Runs one of COMMANDS with `arguments`, by default those of this process, and exits.

    The exit status is 0, 1 for a failure, 2 for wrong usage, or 130 for an interrupt. `typed` is
    what starts the command, for --help.
    """
    with _errors_as_lines(name_of(command)):
        _run(module_of(command), sys.argv[1:] if arguments is None else arguments, typed)
    sys.exit(0)


# The installed commands; setup.py refers to them by these names
train, export, evaluate, predict, convert, serve, page, plot, data, demo, pairs = (
    functools.partial(run, command) for command in COMMANDS
)


def main() -> NoReturn:
    """Runs `python -m pix2pix_tf COMMAND ...`, and exits."""
    command, *arguments = sys.argv[1:] or ['--help']
    if command in COMMANDS:
        run(command, arguments, f'python -m pix2pix_tf {command}')
    with _errors_as_lines('pix2pix_tf'):
        if not _asks_for_help([command]):
            near = not command.startswith('-') and difflib.get_close_matches(command, COMMANDS, 1)
            hint = f'did you mean {near[0]}?' if near else 'see python -m pix2pix_tf --help'
            raise UsageError(f'{command} is not a command: {hint}')
        print_line(_overview())
    sys.exit(0)


def module_of(command: str) -> ModuleType:
    """The module of a command: its flags, its documentation and its `main`."""
    return importlib.import_module('pix2pix_tf.cli.' + command)


def name_of(command: str) -> str:
    """The name of an installed command."""
    return 'pix2pix-' + command


@contextlib.contextmanager
def _errors_as_lines(name: str) -> Iterator[None]:
    """Exits after a Pix2PixError or an interrupt, with one line on standard error.

    Names of options become flags in it. Any other exception is a bug, and keeps its traceback.
    """
    # With `>&-` or `2>&-`, lines would go to the next file that is opened
    sys.stdout = sys.stdout or open(os.devnull, 'w')  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, 'w')  # noqa: SIM115
    try:
        yield
    except Pix2PixError as error:
        print(f'{name}: {with_flags(str(error))}', file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print(f'{name}: interrupted', file=sys.stderr)
        sys.exit(130)


def _run(module, arguments, typed):
    if _asks_for_help(arguments):
        print_line(help_text(module, typed))
        return
    rest = _parse(module, arguments)
    if hasattr(module, 'ARGUMENTS'):
        module.main(rest)
    else:
        module.main()


def _asks_for_help(arguments):
    return bool({'-h', '--help', '-help'} & set(arguments))


def _parse(module: ModuleType, arguments: Sequence[str]) -> List[str]:
    """Sets the flags of a command; returns the arguments that are not flags."""
    try:
        rest = module.FLAGS([module.__name__, *arguments])[1:]
    except flags.Error as error:
        raise UsageError(_in_our_words(module, str(error))) from error
    if rest and not hasattr(module, 'ARGUMENTS'):
        raise UsageError(f'{rest[0]} is not a flag: see --help')
    return rest


def _in_our_words(module, error):
    """The message of a flags.Error; for a value of the wrong type, as `config.check` says it."""
    error = ' '.join(error.split())
    invalid = re.match(r'flag --(\w+)=(.*?): ', error)
    if not invalid or invalid.group(1) not in module.FLAGS:
        return error
    name, value = invalid.groups()
    kind = _KINDS.get(module.FLAGS[name].flag_type())
    return f'`{name}` is {value!r}: it must be {kind}' if kind else error


def help_text(module: ModuleType, typed: Optional[str] = None) -> str:
    """The text that --help prints; `typed` starts the command, by default its name."""
    typed = typed or name_of(module.__name__.rpartition('.')[2])
    arguments = f' {module.ARGUMENTS} ...' if hasattr(module, 'ARGUMENTS') else ''
    lines = [
        f'usage: {typed} [--flag=value ...]{arguments}',
        '',
        (module.__doc__ or '').rstrip(),
        '',
        'flags:',
    ]
    for flag in flags_of(module):
        default = '' if flag.default is None else f' (default: {default_of(flag)})'
        lines += [
            f'  --{flag.name}:{default}',
            flags.text_wrap(with_flags(flag.help, {}), indent=' ' * 6),
        ]
    return '\n'.join(lines)


def _overview():
    """The commands, with the first line of what each --help says."""
    summaries = [(module_of(command).__doc__ or '').partition('\n')[0] for command in COMMANDS]
    return '\n'.join(
        [
            'usage: python -m pix2pix_tf COMMAND [--flag=value ...]',
            '',
            'commands:',
            *(f'  {command:<10}{summary}' for command, summary in zip(COMMANDS, summaries)),
            '',
            'python -m pix2pix_tf COMMAND --help lists the flags of a command.',
        ]
    )
