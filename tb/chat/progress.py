"""One line on standard error about how far a pass is."""

from __future__ import annotations

import sys
import time

#: Seconds from line to line where there is no terminal that a line could be written over in.
_LINES_APART = 10.0


class ProgressLine:
    """How far the passes are; on a terminal one line that is written over.

    Args:
        bound: cycles that a pass takes at least.
    """

    def __init__(self, bound: int) -> None:
        self._terminal = sys.stderr.isatty()
        self._expected = bound
        self._last = time.monotonic()
        self.name = ""

    def at(self, cycles: int, seconds: float) -> None:
        """A pass has taken so many cycles and seconds."""
        now = time.monotonic()
        if not self._terminal and now - self._last < _LINES_APART:
            return
        self._last = now
        rate = cycles / seconds
        left = max(self._expected - cycles, 0) / rate
        text = (
            f"{self.name}: {min(100 * cycles // self._expected, 99)}%, {cycles:,} cycles, "
            f"{rate:,.0f} cycles/s, {left:.0f} s left"
        )
        print(
            f"\r\x1b[K{text}" if self._terminal else text, end="" if self._terminal else "\n", file=sys.stderr
        )
        sys.stderr.flush()

    def end(self, cycles: int) -> None:
        """A pass took so many cycles; the next one will take about as many."""
        self._expected = cycles
        if self._terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
