"""Sums without flushing are those with it, to the bit, whatever the operands hold; NaN costs no time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from plena_ref.machine import accumulators, numerics
from plena_ref.machine.accumulators import BlockSums, HeadSums
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import U16

HW = Hardware(16, 4, 8, hbm_bytes=1 << 16)
#: Infinities, NaN of both signs with several payloads, zeros, subnormals, the smallest and largest numbers.
SPECIAL = np.array(
    [0x7F80, 0xFF80, 0x7FC0, 0xFFA5, 0x7F81, 0xFFFF, 0, 0x8000, 1, 0x807F, 0x0080, 0x7F7F], np.uint16
)
#: Accumulators with the shapes of their operands.
KINDS: list[tuple[Callable[[], BlockSums | HeadSums], tuple[int, ...], tuple[int, ...]]] = [
    (lambda: BlockSums(HW, HW.blen), (HW.blen, HW.mlen), (HW.mlen, HW.blen)),
    (lambda: BlockSums(HW, 1), (1, HW.mlen), (HW.mlen, HW.blen)),
    (lambda: HeadSums(HW, HW.mlen), (HW.lanes, HW.mlen, HW.hlen), (HW.hlen, HW.mlen)),
    (lambda: HeadSums(HW, 1), (HW.lanes, 1, HW.hlen), (HW.hlen, HW.mlen)),
]


def drawn(rng: np.random.Generator, shape: tuple[int, ...], share: float, scale: float) -> U16:
    """Numbers of that size, a share of them special."""
    words = numerics.bf16_from_float(scale * rng.normal(size=shape))
    return np.where(rng.random(shape) < share, rng.choice(SPECIAL, shape), words)


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_flushing_is_left_out_only_where_it_does_not_matter(
    kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, left, right = KINDS[kind]
    rng = np.random.default_rng(kind)
    for share in (0.0, 0.02, 0.2):
        for scale in np.repeat([1.0, 2.0**-52, 2.0**-63], 7):
            work = [[drawn(rng, shape, share, scale) for shape in (left, right)] for _ in range(3)]
            work[1][0][..., int(rng.integers(left[-2])), :] = rng.choice(SPECIAL[:6])
            results = []
            for grid in (accumulators._PRODUCT_GRID, math.nan):  # no product lies on the second
                with monkeypatch.context() as patch, np.errstate(all="ignore"):
                    patch.setattr(accumulators, "_PRODUCT_GRID", grid)
                    sums = make()
                    for a, b in work:
                        sums.accumulate(a, b)
                    results.append(sums.write_out())
            assert np.array_equal(*results)


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_rows_of_nan_are_not_flushed(kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As padding rows of a block are, which nothing has written."""
    make, left, right = KINDS[kind]
    rng, sums = np.random.default_rng(1), make()
    a, b = (numerics.bf16_from_float(rng.normal(size=shape)) for shape in (left, right))
    a[..., -1, :] = 0xFFA5

    def refuse(_: object) -> None:
        raise AssertionError("a product is flushed")

    monkeypatch.setattr(accumulators.numerics, "f32_flush", refuse)
    monkeypatch.setattr(accumulators.numerics, "tree_sum", lambda values: values[..., 0])
    sums.accumulate(a, b)
