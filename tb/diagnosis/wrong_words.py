"""What the wrong words that an instruction left have in common: rounding, sign, scale, or no write at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.numerics import U16
from plena_ref.machine.state import MemoryImages
from tb.diagnosis.state import StateDifference

#: Memories of bf16 words.
_BF16 = ("vram", "msram", "fpmem")
#: Fewer wrong words show no rule.
_FEWEST = 3

_SIGN, _MAGNITUDE, _FRACTION = np.uint16(0x8000), np.uint16(0x7FFF), np.uint16(0x7F)
_INFINITE = 255


def explain(
    difference: StateDifference, before: MemoryImages, got: MemoryImages, wanted: MemoryImages
) -> str | None:
    """A clause about the words that are wrong, of memories that hold bf16; None where they show no rule.

    Args:
        difference: which words.
        before: the memories before the instruction.
        got, wanted: what it left, and what it should have left.
    """
    places = [(memory, difference.memories[memory]) for memory in _BF16 if memory in difference.memories]
    if not places:
        return None
    old, left, right = (
        np.concatenate([getattr(images, memory)[addresses] for memory, addresses in places])
        for images in (before, got, wanted)
    )
    if len(left) < _FEWEST:
        return None
    every = f"every one of the {len(left)} wrong words"
    if np.array_equal(left, old):
        return f"{every} holds what it held before: nothing was written there"
    if np.array_equal(left ^ right, np.full_like(left, _SIGN)):
        return f"{every} has the wrong sign and nothing else"
    if not (left & _MAGNITUDE).any():
        return f"{every} is zero"
    return _rounded(left, right, every) or _scaled(left, right, every)


def _rounded(left: U16, right: U16, every: str) -> str | None:
    """Words of the right sign that are one unit of the last place off."""
    units = (left & _MAGNITUDE).astype(int) - (right & _MAGNITUDE)
    if ((left ^ right) & _SIGN).any() or (abs(units) != 1).any():
        return None
    away = f"{every} is one unit of the last place of bf16"
    if (units < 0).all():
        return f"{away} nearer to zero than it must be: rounded toward zero, not to nearest"
    if (units > 0).all():
        return f"{away} farther from zero than it must be: rounded away from zero, not to nearest"
    return f"{away} off, some up and some down: a rounding, or the order of a sum"


def _scaled(left: U16, right: U16, every: str) -> str | None:
    """Words that are what they must be, times powers of two."""
    if ((left ^ right) & (_SIGN | _FRACTION)).any():
        return None
    powers = [_exponent(words) for words in (left, right)]
    if any(((exponent == 0) | (exponent == _INFINITE)).any() for exponent in powers):
        return None
    steps = np.unique(powers[0] - powers[1]).tolist()
    if len(steps) == 1:
        return f"{every} is 2**{steps[0]} times what it must be: an exponent, or a scale"
    return (
        f"{every} is what it must be times a power of two, 2**{steps[0]} to 2**{steps[-1]}: its scale is "
        "wrong, that of another block, and its element is right"
    )


def _exponent(words: U16) -> NDArray[np.int64]:
    """The biased exponents."""
    return np.asarray((words & _MAGNITUDE) >> 7, np.int64)
