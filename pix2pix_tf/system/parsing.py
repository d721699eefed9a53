"""Parses text from untrusted sources."""

import json
import typing


def parse_json(text: bytes) -> typing.Any:
    """The value of the JSON `text`, in UTF-8.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text.decode())
    except RecursionError:
        raise ValueError('it is nested too deeply') from None
