"""bf16 test data: corner values, random mixes, and rows whose pairs cancel exactly."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine import numerics

#: Raw bf16 patterns at every border of the number format, each with both signs.
CORNERS: tuple[int, ...] = tuple(
    sign | magnitude
    for sign in (0x0000, 0x8000)
    for magnitude in (
        *(0x0000, 0x0001, 0x007F),  # zero, smallest and largest subnormal
        *(0x0080, 0x0081, 0x00FF, 0x0100),  # smallest normals
        *(0x3B80, 0x3E80, 0x3F00, 0x3F7F, 0x3F80, 0x3F81, 0x3FFF, 0x4000, 0x4049),  # around one
        *(0x42AE, 0x42B1, 0x42B2, 0x4380),  # where exp overflows or underflows
        *(0x5F80, 0x7E80, 0x7F00, 0x7F7F),  # products and sums that overflow
        *(0x7F80, 0x7F81, 0x7FA5, 0x7FC0, 0x7FFF),  # infinity, NaN of several payloads
    )
)


def random_word(rng: random.Random) -> int:
    """One raw bf16 pattern: a corner, any pattern at all, or an ordinary number of magnitude 2^-8..2^8."""
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(CORNERS)
    if kind < 0.4:
        return rng.randrange(1 << 16)
    return rng.randrange(2) << 15 | rng.randrange(119, 136) << 7 | rng.randrange(128)


def random_row(rng: random.Random, size: int) -> NDArray[np.uint16]:
    """uint16[size]: a gaussian row, a mix of everything, or many sizes whose pairs cancel exactly."""
    kind = rng.randrange(3)
    if kind == 0:
        return numerics.bf16_from_float([rng.gauss(0.0, 1.5) for _ in range(size)])
    if kind == 1:
        return np.array([random_word(rng) for _ in range(size)], dtype=np.uint16)
    half = [rng.randrange(100, 160) << 7 | rng.randrange(128) for _ in range(size // 2)]
    row = half + [word ^ 0x8000 for word in half]
    rng.shuffle(row)
    return np.array(row, dtype=np.uint16)


def pack(words: NDArray[np.uint16]) -> int:
    """The integer whose bits [e*16 +: 16] are element e of uint16 `words`."""
    return int.from_bytes(words.astype("<u2").tobytes(), "little")


def unpack(value: int, size: int) -> NDArray[np.uint16]:
    """uint16[size]: the inverse of `pack`."""
    return np.frombuffer(value.to_bytes(size * 2, "little"), dtype="<u2")


def random_blocks(count: int, seed: int) -> NDArray[np.uint16]:
    """Blocks of eight bf16: any patterns, near exponents, few exponents around ties, zeros, specials."""
    rng = np.random.default_rng(seed)
    wild = rng.integers(0, 1 << 16, (count, 8), dtype=np.uint16)
    finite = wild & ~np.uint16(0x4000)
    near = (rng.integers(100, 130, (count, 1)) + rng.integers(-10, 1, (count, 8))).astype(
        np.uint16
    ) << np.uint16(7)
    near |= rng.integers(0, 128, (count, 8), dtype=np.uint16) | (wild & np.uint16(0x8000))
    ties = near & np.uint16(0xFFF8)
    small = wild & np.uint16(0x83FF)
    zeros = wild & np.uint16(0x807F)
    return np.concatenate([wild, finite, near, ties, small, zeros])
