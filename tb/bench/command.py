"""What all commands that people type have in common: exit statuses, signals, output on any terminal.

:func:`run` is the last frame of such a command. Whatever ends it, the last line it prints says why, and its
exit status is 0, 1 or 2 as docs/bench.md has them, or 128 and the number of the signal that ended it.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from plena_ref.machine.reference import InstructionLimitError
from tb.bench import options, progress
from tb.engine import environment, interruption, parent, paths
from tb.engine.tools import SimulationError


def run(main: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Run a command on what its command line says and nothing else; return the exit status."""
    environment.forget_settings()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Characters that the terminal cannot show are replaced, so that no result is lost to them.
            stream.reconfigure(errors="replace")
    try:
        with interruption.handled():
            parent.end_with_make()
            for place in (paths.REPO, paths.BUILD, Path(sys.prefix)):
                paths.check(place)
            with progress.shown():
                status = main(arguments)
            sys.stdout.flush()
            return status
    except interruption.Interrupted as signal:
        options.fail(signal)
        return signal.status
    except BrokenPipeError:
        _discard_output()
        return options.fail("nobody reads the output")
    except (paths.PlaceError, options.UsageError) as error:
        return options.fail(error)
    except OSError as error:
        _discard_output()
        return options.fail(f"{error.filename}: {error.strerror}" if error.filename else error)


def attempted(action: Callable[[list[str]], int], arguments: list[str]) -> int:
    """The exit status of what runs a program of the user's, and what went wrong in a line.

    A program that does not end has status 1; whatever stands in the way of a run, 2.

    Args:
        action: takes the command line.
        arguments: the command line; where the system names no file, the folder of OUT= is to blame.
    """
    try:
        return action(arguments)
    except InstructionLimitError as error:
        options.fail(error)
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:
        place = error.filename or next((one[4:] for one in arguments if one[:4].upper() == "OUT="), "")
        return options.fail(f"{place}: {error.strerror}" if place else error)
    except (ValueError, SimulationError) as error:
        return options.fail(error)


def show(write: Callable[[Console], None], width: int) -> None:
    """Let `write` print on standard output, if anybody reads it; what it prints is no more than a report."""
    try:
        write(Console(width=width))
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):
        # rich ends the program when nobody reads; the result stands, in files and in the exit status.
        _discard_output()


def _discard_output() -> None:
    """Send what is still to be printed, and what Python prints at its end, nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
