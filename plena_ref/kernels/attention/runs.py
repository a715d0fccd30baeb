"""Running sums of bounded length: how many numbers are added up one after the other in bf16.

A running sum rounds at every step, and stands still once a term is less than half a step of it. So terms are
added in runs, and the sums of the runs once more; docs/accuracy.md derives what is left of the error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from plena_ref.kernels.layout.allocators import VramAllocator
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import GP0, Program, Register
from plena_ref.machine.hardware import Hardware

#: Terms of a running sum, unless the sums of such runs would be more than a run of their own.
RUN = 16


def run_length(terms: int) -> int:
    """Terms of a run, so that neither a run nor the sum of all runs is longer than needed."""
    if terms <= RUN:
        return terms
    return max(RUN, math.isqrt(terms - 1) + 1)


@dataclass(frozen=True)
class RowState:
    """Where the maximum and sum of a row's last run lie.

    Attributes:
        first: FP_MEM word of the first row's maximum.
        sum_offset: FP_MEM words from a row's maximum to its sum.
        lowest: FP_MEM word that a maximum starts from.
        zero: FP_MEM word that holds 0.0.
        masked: 1 when the row's lane is the one that V_MASK selects.
    """

    first: int
    sum_offset: int
    lowest: int
    zero: int
    masked: int


class RunTotals:
    """The output of all runs of a query tile so far, and the maximum and sum of each row, in VRAM.

    Maximum and sum fill a row, or its lane: V_RED_MAX brings them back to an f register.

    Args:
        hw: the machine.
        rows: rows of a query tile.
        cols: columns of the output.
        vram: where to place them.

    Raises:
        LayoutError: VRAM is full.
    """

    def __init__(self, hw: Hardware, rows: int, cols: int, vram: VramAllocator) -> None:
        self.mlen = hw.mlen
        self.output = vram.tensor("O of all runs", rows, cols)
        self.maxima = vram.tensor("m of all runs", rows, hw.mlen)
        self.sums = vram.tensor("l of all runs", rows, hw.mlen)

    def tensors(self) -> list[VramTensor]:
        """All of them."""
        return [self.output, self.maxima, self.sums]

    def begin(self, p: Program, rows: int) -> None:
        """Maxima and sums are 0 in all lanes, whatever was there."""
        with p.gps("row of m and l", "columns") as (row, columns):
            p.load_constant(columns, self.mlen)
            for tensor in (self.maxima, self.sums):
                p.point(row, tensor)
                with p.repeat(rows, f"{tensor.name} = 0"):
                    p.V_SHFT_V(row, row, columns)
                    p.add(row, row, self.mlen)

    def join(self, p: Program, rows: int, state: Register, at: RowState, first: bool, last: bool) -> None:
        """Maxima and sums of a run; the output so far goes by exp(m of the runs before - m).

        Args:
            rows: how many.
            state: register with the FP_MEM word of the first row's maximum; ends `rows` further.
            first, last: the run is the first of its query tile, the last; which leaves 1/l in FP_MEM.
        """
        masked = at.masked
        with (
            p.gps("row of m", "row of l") as (maximum_row, sum_row),
            p.fps("m", "factor", "l") as (maximum, factor, total),
        ):
            p.point(maximum_row, self.maxima)
            p.point(sum_row, self.sums)
            with p.repeat(rows, "maximum and sum of a run"):
                p.S_LD_FP(maximum, state, 0)
                p.S_LD_FP(total, state, at.sum_offset)
                if first:
                    p.V_ADD_VF(maximum_row, maximum_row, maximum, masked)
                else:
                    p.S_LD_FP(factor, GP0, at.lowest)
                    p.V_RED_MAX(factor, maximum_row, masked)
                    p.S_SUB_FP(factor, factor, maximum)
                    p.S_EXP_FP(factor, factor, comment="exp(m of the runs before - m)")
                    p.V_MUL_VF(sum_row, sum_row, factor, masked)
                    p.V_MAX_VF(maximum_row, maximum_row, maximum, masked)
                    self._rescale(p, maximum_row, factor, masked)
                p.V_ADD_VF(sum_row, sum_row, total, masked)
                if last:
                    p.S_LD_FP(total, GP0, at.zero)
                    p.V_RED_MAX(total, sum_row, masked)
                    p.S_RECI_FP(total, total)
                    p.S_ST_FP(total, state, at.sum_offset, comment="1/l")
                p.add(maximum_row, maximum_row, self.mlen)
                p.add(sum_row, sum_row, self.mlen)
                p.add(state, state, 1)

    def _rescale(self, p: Program, maximum_row: Register, factor: Register, masked: int) -> None:
        for block in range(self.output.column_blocks):
            with p.gp("row of O of all runs") as output:
                p.add(output, maximum_row, self.output.address(0, block * self.mlen) - self.maxima.base)
                p.V_MUL_VF(output, output, factor, masked)

    def add(self, p: Program, run: VramTensor, rows: int, first: bool) -> None:
        """The output of all runs += that of a run."""
        add_rows(p, self.output, run, rows, first)


def add_rows(p: Program, total: VramTensor, term: VramTensor, rows: int, first: bool) -> None:
    """total += term, or total = term where it is the first one; `rows` rows of all column blocks."""
    with p.gps(f"row of {total.name}", f"row of {term.name}") as (target, source):
        for block in range(total.column_blocks):
            p.point(target, total, 0, block * total.mlen)
            p.point(source, term, 0, block * total.mlen)
            sign = "" if first else "+"
            with p.repeat(rows, f"{total.name} {sign}= {term.name}, column block {block}"):
                if first:
                    p.V_SHFT_V(target, source, GP0)
                else:
                    p.V_ADD_VV(target, target, source)
                p.add(target, target, total.mlen)
                p.add(source, source, total.mlen)
