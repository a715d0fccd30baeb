"""Signals that end a command: everything it started is stopped, and its exit status names the signal."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from tb.engine import processes

#: What people, batch systems and closed terminals send.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal came.

    Attributes:
        number: which one.
        status: the exit status of a command that it ended: 128 and the number.
    """

    def __init__(self, number: int) -> None:
        self.number = signal.Signals(number)
        self.status = 128 + number
        super().__init__(f"interrupted by {self.number.name}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    # No second signal disturbs the tidying up, which takes seconds at most.
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    processes.stop_all()
    raise Interrupted(number)


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Raise :class:`Interrupted` in the block for each of `SIGNALS` that is not ignored (as by nohup).

    Only in the main thread, where Python's handlers run.
    """
    processes.reopen()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
