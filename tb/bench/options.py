"""KEY=VALUE command lines, as the Makefile passes them on, and the options that every run takes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from tb.bench.job import DEFAULT_LATENCY
from tb.engine import simulate


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


@dataclass(frozen=True)
class RunOptions:
    """Where and how to run; the attributes are named after their keys.

    Attributes:
        sim: name of the simulator.
        latency: cycles from a memory request to its answer.
        jitter: chance in 256 that a memory channel pauses in a cycle.
        waves: write waves.
    """

    sim: str
    latency: int
    jitter: int
    waves: bool


def take_run_options(options: dict[str, str]) -> RunOptions:
    """Remove SIM, LATENCY, JITTER and WAVES and return them, or their defaults.

    Raises:
        UsageError: a number is none, or lies outside of its range.
    """
    return RunOptions(
        options.pop("SIM", simulate.default_simulator()),
        take_integer(options, "LATENCY", DEFAULT_LATENCY, 1, 65535),
        take_integer(options, "JITTER", 0, 0, 255),
        bool(take_integer(options, "WAVES", 0, 0, 1)),
    )


def fail(message: object) -> int:
    """Print an error and return the exit status 2."""
    print(f"error: {message}", file=sys.stderr)
    return 2
