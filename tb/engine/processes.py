"""Programs that the engine starts: each under a guard, so that none of them outlives this process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_GUARD = Path(__file__).with_name("guard.py")
#: Seconds that a program has to end when it is told to.
GRACE = 5.0
#: Seconds between two questions whether a program is still wanted.
POLL = 0.2
_running: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()
_closed = threading.Event()


class CommandError(RuntimeError):
    """A command failed; the message holds what it printed."""


def run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    output: IO[bytes],
    timeout: float | None = None,
    errors: IO[bytes] | None = None,
    wanted: Callable[[], bool] | None = None,
) -> int:
    """Run a command to its end in a folder; its standard output goes to `output`, its error to `errors`.

    Without `errors` both go to `output`. `wanted` is asked every :data:`POLL` seconds whether anybody still
    waits for the command.

    Returns:
        its exit status, or 128 and the number of the signal that ended it.

    Raises:
        subprocess.TimeoutExpired: it took more than `timeout` seconds, and was stopped.
        InterruptedError: everything was stopped, and nothing new begins; or nobody wants the command to go
            on, and it was stopped.
    """
    if _closed.is_set():
        raise InterruptedError("nothing is started after a signal")
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_GUARD), *command],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT if errors is None else errors,
        start_new_session=True,
    )
    with _lock:
        _running.add(process)
    try:
        return process.wait(timeout) if wanted is None else _waited(process, timeout, wanted)
    except BaseException:
        _stop(process)
        raise
    finally:
        with _lock:
            _running.discard(process)
        if process.stdin is not None:
            process.stdin.close()


def captured(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float | None = None
) -> tuple[int, str]:
    """Run a command as :func:`run` does; its exit status, and all that it printed."""
    with tempfile.TemporaryFile() as output:
        status = run(command, folder, environment, output, timeout)
        output.seek(0)
        return status, output.read().decode(errors="replace")


def output(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Run a command as :func:`run` does; all that it printed.

    Raises:
        CommandError: its exit status is not 0.
    """
    status, printed = captured(command, folder, environment)
    if status != 0:
        raise CommandError(f"{' '.join(command)} failed in {folder}\n{printed}")
    return printed


def reopen() -> None:
    """Allow processes again after :func:`stop_all`."""
    _closed.clear()


def stop_all() -> None:
    """Tell everything to end, and start nothing more: for handlers of signals, which must not wait.

    Who waits for a process in :func:`run` gets the handler's exception, and sees that it ends; what other
    threads wait for ends with this process at the latest.
    """
    _closed.set()
    # Without the lock, which the thread that a signal interrupted may hold.
    for process in list(_running):
        _signal(process, signal.SIGTERM)


def _waited(process: subprocess.Popen[bytes], timeout: float | None, wanted: Callable[[], bool]) -> int:
    """Wait for the end of a process, as long as it is wanted."""
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        try:
            return process.wait(POLL)
        except subprocess.TimeoutExpired:
            if end is not None and time.monotonic() > end:
                raise
            if not wanted():
                raise InterruptedError("nobody wants its result") from None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process: politely, so that waves are closed, and after a time for good."""
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to all of a guard's group, if any of it is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
