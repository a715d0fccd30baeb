"""What the core did in each cycle of a job, as the bench wrote it (docs/bench.md, `activity.out`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tb.bench.wave_samples import Samples

#: Slots of the queues beside that of the matrix unit, and the order of all of them in the vectors.
_SLOTS = {"u_vector": 8, "u_float": 8, "u_hbm": 4}
_ORDER = ("u_matrix", *_SLOTS)
#: Lowest bit and width of each signal in the words of a cycle.
_PLACES = {
    "u_counters.state_q": (0, 16),
    "dispatch_state": (16, 4),
    "read_beat": (20, 1),
    "write_beat": (21, 1),
    **{f"{instance}.head": (32 + 8 * number, 8) for number, instance in enumerate(_ORDER)},
    "macs": (64, 32),
}
_SLOTS_AT, _DONE_AT, _WORD = (22, 10), 96, 32


class Activity:
    """The signals of a job as `WaveSamples` has those of a dump, under the same names.

    Args:
        words: uint32[cycles + 1, 6].
    """

    def __init__(self, words: NDArray[np.uint32]) -> None:
        self._words = words
        self._places = dict(_PLACES)
        slots = int(self._bits(*_SLOTS_AT)[0]) if len(words) else 0
        at = _DONE_AT
        for instance, count in {"u_matrix": slots - sum(_SLOTS.values()), **_SLOTS}.items():
            self._places[f"{instance}.slot_done"] = (at, count)
            at += count

    def __len__(self) -> int:
        """Cycles of the run."""
        return len(self._words) - 1

    def width(self, name: str) -> int:
        """Bits of a signal of the core."""
        return self._places[name][1]

    def of(self, name: str, late: bool = False, word: int = 0) -> Samples:
        """A signal of the core in every cycle: bits 32*word to 32*word + 31 of it.

        With `late` it is a register that holds in the next cycle what belongs to this one.
        """
        low, width = self._places[name]
        low, width = low + _WORD * word, width - _WORD * word
        values = self._bits(low, min(width, _WORD))
        return values[1:] if late else values[:-1]

    def _bits(self, low: int, width: int) -> Samples:
        """Bits of all cycles; they may lie in two words."""
        first, shift = divmod(low, _WORD)
        values = self._words[:, first].astype(np.int64) >> shift
        if shift + width > _WORD:
            values |= self._words[:, first + 1].astype(np.int64) << _WORD - shift
        return values & (1 << width) - 1
