"""The accumulators of the matrix unit: f32 sums in the order that docs/isa.md, "Numbers", lays down.

`BlockSums` holds `m` (M_MM, M_TMM) and `v` (M_MV, M_TMV): every mini-array adds its own taps, one product
at a time. `HeadSums` holds `hm` (M_BMM, M_BTMM) and `hv` (M_BMV, M_BTMV): groups of taps are summed by
themselves, meet in a balanced tree, and join the accumulator with one addition.

Both skip the flushing where it cannot matter: when every product and every sum so far that is a number is a
whole multiple of 2^-126. A NaN stays one, and the write-out makes it the canonical one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine import numerics
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import BF16_POS_INF, BF16_TO_F32

F32 = NDArray[np.float32]
U16 = NDArray[np.uint16]

# A product of two bf16 that is at least this large has no bit below 2^-126; see `numerics.on_f32_grid`.
_PRODUCT_GRID = 2.0**-111


class BlockSums:
    """`rows` x BLEN sums, each spread over the P mini-arrays.

    Args:
        hw: the machine.
        rows: VRAM rows that one instruction multiplies: BLEN for `m`, 1 for `v`.
    """

    def __init__(self, hw: Hardware, rows: int) -> None:
        self._p, self._blen, self._rows = hw.p, hw.blen, rows
        self._terms = np.empty((hw.blen + 1, hw.p, rows, hw.blen), np.float32)
        self.clear()

    def clear(self) -> None:
        """Set every sum to +0."""
        self._sums = np.zeros((self._p, self._rows, self._blen), np.float32)
        self._on_grid = True

    def accumulate(self, left: U16, right: U16) -> None:
        """Add left @ right: raw bf16 `left` [rows, MLEN] and `right` [MLEN, BLEN].

        Mini-array p owns taps p*BLEN..p*BLEN+BLEN-1 and adds their products, one f32 multiply and one f32 add
        each, in rising order into its own sums.
        """
        p, blen, rows = self._p, self._blen, self._rows
        a, b = BF16_TO_F32.take(left), BF16_TO_F32.take(right)
        exact = self._on_grid and _least_product(left, right) >= _PRODUCT_GRID
        a_taps = a.reshape(rows, p, blen).transpose(2, 1, 0)[:, :, :, None]
        b_taps = b.reshape(p, blen, blen).transpose(1, 0, 2)[:, :, None, :]
        sums = self._sums
        if exact:
            terms = self._terms
            terms[0] = sums
            np.multiply(a_taps, b_taps, out=terms[1:])
            # Over the outermost axis numpy adds one term after another.
            np.add.reduce(terms, axis=0, out=sums)
            return
        for a_tap, b_tap in zip(a_taps, b_taps, strict=True):
            sums = numerics.f32_flush(sums + numerics.f32_flush(a_tap * b_tap))
        self._sums = sums
        self._on_grid = False

    def write_out(self) -> U16:
        """Raw bf16 [rows, BLEN]: the mini-arrays summed in the balanced tree, rounded once; then clear."""
        block = numerics.f32_to_bf16(numerics.tree_sum(np.moveaxis(self._sums, 0, -1)))
        self.clear()
        return block


class HeadSums:
    """LANES x `rows` x MLEN sums, one matrix a head.

    Args:
        hw: the machine.
        rows: VRAM rows that one instruction multiplies: MLEN for `hm`, 1 for `hv`.
    """

    def __init__(self, hw: Hardware, rows: int) -> None:
        self._shape = (hw.lanes, rows, hw.mlen)
        self._group = min(hw.blen, hw.hlen)
        self.clear()

    def clear(self) -> None:
        """Set every sum to +0."""
        self._sums: F32 | None = None
        self._on_grid = True

    def accumulate(self, left: U16, right: U16) -> None:
        """Add left[b] @ right for each head b: raw bf16 `left` [LANES, rows, HLEN], `right` [HLEN, MLEN].

        Taps go in groups of min(BLEN, HLEN). A group adds its products from +0 in rising order, the groups
        meet in the balanced tree, and one f32 addition puts the total into the sum.
        """
        a, b = BF16_TO_F32.take(left), BF16_TO_F32.take(right)
        exact = self._on_grid and _least_product(left, right) >= _PRODUCT_GRID
        lanes, rows, mlen = self._shape
        a_taps = a.reshape(lanes, rows, -1, self._group).transpose(3, 0, 1, 2)[:, :, :, None, :]
        b_taps = np.ascontiguousarray(b.reshape(-1, self._group, mlen).transpose(1, 2, 0))
        groups = np.zeros((lanes, rows, mlen, b_taps.shape[-1]), np.float32)
        for a_tap, b_tap in zip(a_taps, b_taps, strict=True):
            if exact:
                groups += a_tap * b_tap
            else:
                groups = numerics.f32_flush(groups + numerics.f32_flush(a_tap * b_tap))
        total = numerics.tree_sum(groups)
        held = np.zeros(self._shape, np.float32) if self._sums is None else self._sums
        self._sums = held + total if exact else numerics.f32_flush(held + total)
        self._on_grid = exact

    def write_out(self) -> U16:
        """Raw bf16 [LANES, rows, MLEN]: every sum rounded once; then clear."""
        sums = np.zeros(self._shape, np.float32) if self._sums is None else self._sums
        self.clear()
        return numerics.f32_to_bf16(sums)


def _least_product(left: U16, right: U16) -> float:
    """A lower bound of the products of raw bf16 that are numbers and not zero."""
    return _least_magnitude(left) * _least_magnitude(right)


def _least_magnitude(bits: U16) -> float:
    """The smallest magnitude in raw bf16 that is a number and not zero; infinity when there is none.

    A subnormal, which the machine reads as zero, counts with its own magnitude.
    """
    magnitude = bits & np.uint16(0x7FFF)
    # Zero wraps round to the largest value, above every NaN.
    least = int((magnitude - np.uint16(1)).min()) + 1
    return float(np.uint32(least << 16).view(np.float32)) if least <= BF16_POS_INF else math.inf
