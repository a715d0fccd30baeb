"""Signals of a wave file cycle by cycle: what each was in every cycle of the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pywellen
from numpy.typing import NDArray

from tb.bench.wave_views import CORE

Samples = NDArray[np.int64]


class WaveSamples:
    """The dump of one run.

    Args:
        file: the FST.
    """

    def __init__(self, file: Path) -> None:
        self._signals = {one.full_name: one for one in pywellen.Waveform(str(file)).all_vars()}
        changes = [(time, value) for time, value in self._changes(f"{CORE}.cycles") if value >= 0]
        begins = {value: time for time, value in changes}
        # The time at which each cycle began, and behind them the end of the last.
        self._times: Samples = np.array([begins[cycle] for cycle in range(len(begins))], np.int64)

    def __len__(self) -> int:
        """Cycles of the run."""
        return len(self._times) - 1

    def width(self, name: str) -> int:
        """Bits of a signal of the core."""
        return int(self._signals[f"{CORE}.{name}"].bitwidth)

    def of(self, name: str, late: bool = False, word: int = 0) -> Samples:
        """A signal of the core in every cycle: bits 32*word to 32*word + 31 of it; -1 where it is unknown.

        With `late` it is a register that holds in the next cycle what belongs to this one.
        """
        changes = self._changes(f"{CORE}.{name}")
        times = np.array([time for time, _ in changes], np.int64)
        values = np.array(
            [value if value < 0 else value >> 32 * word & 0xFFFF_FFFF for _, value in changes], np.int64
        )
        asked = self._times[1:] if late else self._times[:-1]
        return values[np.maximum(np.searchsorted(times, asked, side="right") - 1, 0)]

    def _changes(self, name: str) -> list[tuple[int, int]]:
        """The changes of a signal, unknown values as -1."""
        return [
            (int(time), value if isinstance(value, int) else -1) for time, value in self._signals[name].tv
        ]
