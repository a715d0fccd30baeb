"""Run a command that ends with its parent: ``python -I -S guard.py COMMAND [ARGUMENT ...]``.

The guard leads a session of its own, with the command and all that it starts in one process group. Its
standard input is a pipe that nobody writes to: when the parent is gone, however it went, the pipe closes, and
the guard kills the group. The exit status is that of the command, or 128 and the number of its signal.
"""

from __future__ import annotations

import os
import select
import signal
import sys


def main(command: list[str]) -> int:
    """Start the command and wait for its end, or for the parent's."""
    wake_up, written = os.pipe()
    for end in (wake_up, written):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    # Handlers that do nothing: the guard lives on, and the command begins with the default actions.
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    command_pid = os.fork()
    if command_pid == 0:
        _become(command)
    while True:
        ready, _, _ = select.select([0, wake_up], [], [])
        if 0 in ready:
            os.killpg(0, signal.SIGKILL)
        os.read(wake_up, 512)
        ended, status = os.waitpid(command_pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _become(command: list[str]) -> None:
    """Replace this process by the command, which reads nothing."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
    os._exit(127)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
