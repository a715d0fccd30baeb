"""Where memories and registers differ from the reference machine's, and what was written astray.

Padding is checked here: it must still hold what it held before the run.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import region_mask
from plena_ref.machine.state import MemoryImages, Registers
from plena_ref.verdict.judged import Judged

MEMORIES = ("vram", "msram", "fpmem", "intmem", "hbm")

#: The contents of a memory, or the first of them.
Words = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]

#: Words that are compared at a time: they stay in the processor's cache.
_STRETCH = 1 << 18


def _equal(left: Words, right: Words) -> bool:
    """Whether two memories of one type hold the same, without an array as large as they are."""
    starts = range(0, max(len(left), len(right)), _STRETCH)
    return all(
        np.array_equal(left[start : start + _STRETCH], right[start : start + _STRETCH]) for start in starts
    )


def differing(left: Words, right: Words) -> NDArray[np.int64]:
    """Which words of two memories of one type and size differ."""
    starts = range(0, len(left), _STRETCH)
    found = [
        start + np.flatnonzero(left[start : start + _STRETCH] != right[start : start + _STRETCH])
        for start in starts
        if not np.array_equal(left[start : start + _STRETCH], right[start : start + _STRETCH])
    ]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def word_name(hw: Hardware, memory: str, index: int) -> str:
    """A word of a memory as a person would look for it."""
    if memory == "vram":
        return f"VRAM element {index} (row {index // hw.mlen}, column {index % hw.mlen})"
    if memory == "msram":
        tile, rest = divmod(index, hw.tile_elems)
        return f"MSRAM element {index} (tile {tile}, row {rest // hw.mlen}, column {rest % hw.mlen})"
    return f"{ {'fpmem': 'FP_MEM word', 'intmem': 'INT_MEM word', 'hbm': 'HBM byte'}[memory] } {index}"


def memory_difference(hw: Hardware, memory: str, got: Words, reference: Words, before: Words) -> str | None:
    """The first difference in a memory, or None.

    A dump may end early where the reference changed nothing after its end.
    """
    length = len(got)
    if length > len(reference):
        return f"{memory}: the dump has {length} words, the memory {len(reference)}"
    if not _equal(reference[length:], before[length:]):
        return f"{memory}: the dump ends at word {length}, the reference wrote behind it"
    differs = differing(got, reference[:length])
    if not differs.size:
        return None
    first = int(differs[0])
    digits = 2 * got.dtype.itemsize
    return (
        f"{word_name(hw, memory, first)}: got 0x{int(got[first]):0{digits}X}, "
        f"reference 0x{int(reference[first]):0{digits}X} ({len(differs)} words differ)"
    )


def register_differences(got: Registers, reference: Registers) -> list[str]:
    """Every register that differs."""
    found = []
    for file in ("gp", "f", "a"):
        pairs = zip(getattr(got, file), getattr(reference, file), strict=True)
        for index, (value, wanted) in enumerate(pairs):
            if value != wanted:
                found.append(f"register {file}{index}: got 0x{value:X}, reference 0x{wanted:X}")
    for name in ("scale", "stride", "v_mask"):
        value, wanted = getattr(got, name), getattr(reference, name)
        if value != wanted:
            found.append(f"register {name.upper()}: got 0x{value:X}, reference 0x{wanted:X}")
    return found


def out_of_bounds(work: Judged, got: MemoryImages) -> tuple[int, str | None]:
    """Words changed outside the declared regions: their number and the first one's name."""
    hw = work.hardware
    count, first = 0, None
    for memory in MEMORIES:
        after = getattr(got, memory)
        before = getattr(work.images, memory)[: len(after)]
        if _equal(after, before):
            continue
        stray = after != before
        stray &= ~region_mask([*work.outputs, *work.scratch], memory, len(after))
        count += int(stray.sum())
        if first is None and stray.any():
            first = word_name(hw, memory, int(np.argmax(stray)))
    return count, first
