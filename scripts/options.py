"""KEY=VALUE command lines, as the Makefile passes them on."""

from __future__ import annotations

import sys
from collections.abc import Iterable


class UsageError(ValueError):
    """A command line that cannot be understood; the message says why."""


def parse(arguments: Iterable[str]) -> dict[str, str]:
    """Return the KEY=VALUE arguments as a dictionary; keys in capitals, empty values left out.

    Raises:
        UsageError: an argument has no '='.
    """
    options = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise UsageError(f"'{argument}' is not of the form KEY=VALUE")
        if value:
            options[key.upper()] = value
    return options


def take_integer(options: dict[str, str], key: str, default: int, low: int, high: int) -> int:
    """Remove an integer option and return it, or ``default``.

    Raises:
        UsageError: it is no integer, or lies outside low..high.
    """
    text = options.pop(key, None)
    if text is None:
        return default
    try:
        value = int(text, 0)
    except ValueError:
        raise UsageError(f"{key}={text} is not an integer") from None
    if not low <= value <= high:
        raise UsageError(f"{key}={value} lies outside {low}..{high}")
    return value


def fail(message: object) -> int:
    """Print an error and return the exit status 2."""
    print(f"error: {message}", file=sys.stderr)
    return 2
