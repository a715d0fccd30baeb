"""Named runs of words of a memory: what a program may write, and the words they cover."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Region:
    """Words start..stop-1 of one memory (`vram`, `msram`, `fpmem`, `intmem` or `hbm`), with a name."""

    memory: str
    start: int
    stop: int
    name: str


def region_mask(regions: Iterable[Region], memory: str, size: int) -> NDArray[np.bool_]:
    """Boolean array of `size` words, true where some region of `memory` covers the word."""
    mask = np.zeros(size, dtype=bool)
    for region in regions:
        if region.memory == memory:
            mask[region.start : region.stop] = True
    return mask
