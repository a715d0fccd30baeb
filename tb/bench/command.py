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

from tb.bench import options
from tb.engine import environment, interruption, paths


def run(main: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Run a command on what its command line says and nothing else; return the exit status."""
    environment.forget_settings()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Characters that the terminal cannot show are replaced, so that no result is lost to them.
            stream.reconfigure(errors="replace")
    try:
        with interruption.handled():
            for place in (paths.REPO, paths.BUILD, Path(sys.prefix)):
                paths.check(place)
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
