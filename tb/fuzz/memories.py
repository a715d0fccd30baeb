"""The memories that random programs start from, and the few places in them that the programs work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.policies import POLICIES
from plena_ref.machine.hardware import NO_CLASS, Hardware
from plena_ref.machine.state import MemoryImages

_SPECIAL_BF16 = (
    0x0000,
    0x8000,
    0x0001,
    0x807F,
    0x0080,
    0x8080,
    0x7F80,
    0xFF80,
    0x7FC0,
    0x7F81,
    0xFFA5,
    0x7F7F,
)


def random_bf16(rng: np.random.Generator, size: int, special_share: float) -> NDArray[np.uint16]:
    """Raw bf16 bits: gaussian values, pairs that cancel exactly, and `special_share` of special patterns."""
    values = rng.standard_normal(size).astype(np.float32) * np.float32(2.0) ** rng.integers(-3, 4, size)
    bits = (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    opposite = np.flatnonzero(rng.random(size) < 0.3)
    opposite = opposite[opposite > 0]
    bits[opposite] = bits[opposite - 1] ^ np.uint16(0x8000)
    special = rng.random(size) < special_share
    return np.where(special, rng.choice(np.array(_SPECIAL_BF16, np.uint16), size), bits)


def random_images(hw: Hardware, rng: np.random.Generator, limit: int) -> MemoryImages:
    """Zeroed memories with random data wherever the generator's addresses lead.

    Half of the programs start from tame data: specials are rare, so that results stay finite and differ.
    """
    images = MemoryImages.zeros(hw)
    tame = rng.random() < 0.5
    share = 0.004 if tame else 0.1
    hot = Hot.of(hw)
    for row in hot.rows:
        # Far enough for M_BMM and for the logits of V_TOPK.
        rows = min(max(hot.window, hw.mlen, POLICIES[1].logits // hw.mlen), hw.vram_rows - row)
        images.vram[row * hw.mlen : (row + rows) * hw.mlen] = random_bf16(rng, rows * hw.mlen, share)
    for tile in hot.tiles:
        where = slice(tile * hw.tile_elems, (tile + 1) * hw.tile_elems)
        images.msram[where] = random_bf16(rng, hw.tile_elems, share)
    images.fpmem[:] = random_bf16(rng, hw.fp_words, share)
    images.intmem[:] = rng.integers(0, 1 << 32, hw.int_words, dtype=np.uint32)
    # Elements without NaN below, moderate scales above, and any byte here and there.
    data = rng.integers(0, 0x7F, limit, dtype=np.uint8) | rng.integers(
        0, 2, limit, dtype=np.uint8
    ) << np.uint8(7)
    scales = scales_from(limit)
    data[scales:] = rng.integers(0x70, 0x80, limit - scales, dtype=np.uint8)
    if hw.hbm_bf16 != NO_CLASS:
        # Half of the elements for rows of bf16.
        half = scales // 4 * 2
        data[:half] = random_bf16(rng, half // 2, share).astype("<u2").view(np.uint8)
    anything = rng.random(limit) < (0.002 if tame else 0.2)
    images.hbm[:limit] = np.where(anything, rng.integers(0, 256, limit, dtype=np.uint8), data)
    return images


def scales_from(limit: int) -> int:
    """First HBM byte of the part where scales mostly lie."""
    return limit * 7 // 8


@dataclass(frozen=True)
class Hot:
    """The few places that a program works on.

    Attributes:
        window: rows that every multi-row access fits in.
        rows: first rows of windows.
        tiles: MSRAM tiles.
        fp_words: FP_MEM words.
        int_words: INT_MEM words.
    """

    window: int
    rows: tuple[int, ...]
    tiles: tuple[int, ...]
    fp_words: tuple[int, ...]
    int_words: tuple[int, ...]

    @classmethod
    def of(cls, hw: Hardware) -> Hot:
        window = max(hw.blen, hw.vpref, hw.vstore)
        last = hw.vram_rows - window
        # Neighbours, rows that overlap a window in part, the same bank again, and the end of the memory.
        rows = sorted({min(row, last) for row in (0, 1, 3, window, window + 2, 8, 8 + hw.mlen, last)})
        fp_words = sorted(
            {0, 1, 2, 3, hw.mlen - 1, hw.mlen, hw.mlen + 5, hw.fp_words - hw.mlen, hw.fp_words - 1}
        )
        return cls(
            window=window,
            rows=tuple(rows),
            tiles=tuple(sorted({0, min(1, hw.msram_tiles - 1), hw.msram_tiles - 1})),
            fp_words=tuple(fp_words),
            int_words=tuple(sorted({0, 1, hw.int_words - 1})),
        )
