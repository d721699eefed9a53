"""Parses files that may come from a stranger."""

import json
import typing


def parse_json(text: bytes) -> typing.Any:
    """The value that JSON `text` in UTF-8 has.

    Raises:
        ValueError: it is no JSON, or nested too deeply to be read.
    """
    try:
        return json.loads(text.decode())
    except RecursionError:
        raise ValueError('it is nested too deeply') from None
