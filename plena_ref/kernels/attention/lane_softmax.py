"""The softmax of rows of one lane of the packed form against a key block, four rows in flight.

For each row: m = max(m, row maximum), P = exp(S - m) in place, l = l*exp(m_old - m) + sum of P, which starts
from 0 in each block; O is multiplied by exp(m_old - m) where an earlier block of the run has begun it.
Instructions of different rows alternate, so that each row's chain of dependent steps runs in the shadow of
the others'. See docs/kernels.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from plena_ref.kernels.attention.tiling import KeyBlock, Mask
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import GP0, Program, Register

#: Rows whose softmax is under way at a time. Each holds an f register: its maximum, later its sum.
ROWS_IN_FLIGHT = 4
#: The other f registers.
SPARE = 3

#: Multiplies a row of O by f, one of the rows at `line` + n rows: (block, line, n, f).
RescaleOutput = Callable[[KeyBlock, Register, int, Register], None]


@dataclass(frozen=True)
class LanePointers:
    """Where the rows lie whose turn it is.

    Attributes:
        scores: register that moves with the rows of scores.
        offset: elements from what `scores` holds to the row's first element in the first key tile.
        line: register that moves with the rows of the query tile; may be `scores` itself.
        state: register with the FP_MEM word of the row's running maximum.
    """

    scores: Register
    offset: int
    line: Register
    state: Register


@dataclass(frozen=True)
class LaneSoftmax:
    """Writes the softmax of one kernel.

    Attributes:
        p: the program.
        scores: tensor of scores: a column block a key tile.
        masks: mask tensors.
        line_base: element address that `LanePointers.line` holds in the first row of a query tile.
        zero: FP_MEM word that holds 0.0.
        lowest: FP_MEM word that a maximum starts from.
        sum_offset: FP_MEM words from a row's running maximum to its sum.
        rescale_output: multiplies a row of O by an f register.
    """

    p: Program
    scores: VramTensor
    masks: Mapping[Mask, VramTensor]
    line_base: int
    zero: int
    lowest: int
    sum_offset: int
    rescale_output: RescaleOutput

    @staticmethod
    def weights_are_scaled(_block: KeyBlock) -> bool:
        """P never holds 1/l."""
        return False

    def write(self, block: KeyBlock, rows: int, at: LanePointers, sink: Register | None) -> None:
        """The softmax of `rows` rows; the registers of `at` end `rows` rows further.

        Leaves the sum in FP_MEM, or its reciprocal where it is complete.

        Args:
            sink: register with the FP_MEM word of the head's sink, or None.
        """
        full, rest = divmod(rows, ROWS_IN_FLIGHT)
        for passes, count in ((full, ROWS_IN_FLIGHT), (1, rest)):
            if passes * count:
                with self.p.repeat(passes, f"softmax, {count} rows at a time"):
                    self._rows(block, count, at, sink)
                    for pointer in dict.fromkeys((at.scores, at.line)):
                        self.p.add(pointer, pointer, count * self.scores.mlen)
                    self.p.add(at.state, at.state, count)

    def _rows(self, block: KeyBlock, count: int, at: LanePointers, sink: Register | None) -> None:
        p = self.p
        carried = sink is not None or not block.begins_run
        with ExitStack() as stack:
            rows = [stack.enter_context(p.gp(f"row of S, {n}")) for n in range(count)]
            maxima = [stack.enter_context(p.fp(f"maximum, then sum, {n}")) for n in range(count)]
            spare = [stack.enter_context(p.fp("rescale")) for _ in range(SPARE)]
            # Without a rescale factor the sums begin in the spare registers: the maxima are free early.
            sums = maxima if carried else [*spare, *maxima[SPARE:]][:count]
            self._find_maxima(block, rows, maxima, at, sink)
            self._exponentiate(block, rows, maxima, at)
            if carried:
                self._rescale(block, maxima, spare, at, sink)
            if not block.completes:
                for n, maximum in enumerate(maxima):
                    p.S_ST_FP(maximum, at.state, n, comment="m")
            for n, total in enumerate(sums):
                if sink is not None:
                    p.S_LD_FP(total, at.state, self.sum_offset + n)
                else:
                    p.S_LD_FP(total, GP0, self.zero)
            for tile in range(len(block.tiles)):
                for n, row in enumerate(rows):
                    if tile:
                        self._point(row, at, tile, n)
                    p.V_RED_SUM(sums[n], row, comment="l")
            for n, total in enumerate(sums):
                if not block.begins_run:
                    before = spare[n % SPARE]
                    p.S_LD_FP(before, at.state, self.sum_offset + n)
                    p.S_ADD_FP(total, before, total)
                if block.completes:
                    p.S_RECI_FP(total, total)
                p.S_ST_FP(total, at.state, self.sum_offset + n, comment="1/l" if block.completes else "l")

    def _point(self, row: Register, at: LanePointers, tile: int, n: int) -> None:
        """`row` = address of the n-th row's scores of key tile `tile` of the block."""
        self.p.add(row, at.scores, at.offset + tile * self.scores.block_stride + n * self.scores.mlen)

    def _find_maxima(
        self,
        block: KeyBlock,
        rows: list[Register],
        maxima: list[Register],
        at: LanePointers,
        sink: Register | None,
    ) -> None:
        """Add the masks, and take the maximum over all tiles; `rows` end at the last tile."""
        p = self.p
        for n, maximum in enumerate(maxima):
            if not block.first:
                p.S_LD_FP(maximum, at.state, n)
            elif sink is not None:
                p.S_LD_FP(maximum, sink, 0)
            else:
                p.S_LD_FP(maximum, GP0, self.lowest)
        for tile, key in enumerate(block.tiles):
            for n, row in enumerate(rows):
                self._point(row, at, tile, n)
            mask = key.mask(self.scores.mlen)
            if mask is not None:
                self._add_mask(rows, mask, at)
            for maximum, row in zip(maxima, rows, strict=True):
                p.V_RED_MAX(maximum, row, comment="m")

    def _add_mask(self, rows: list[Register], mask: Mask, at: LanePointers) -> None:
        p, tensor = self.p, self.masks[mask]
        with p.gp("mask row") as mask_row:
            if mask.uniform:
                p.point(mask_row, tensor)
            for n, row in enumerate(rows):
                if not mask.uniform:
                    p.add(mask_row, at.line, tensor.address(n) - self.line_base)
                p.V_ADD_VV(row, row, mask_row)

    def _exponentiate(
        self, block: KeyBlock, rows: list[Register], maxima: list[Register], at: LanePointers
    ) -> None:
        """P = exp(S - m), from the last tile, where `rows` point, to the first."""
        p = self.p
        for tile in reversed(range(len(block.tiles))):
            for n, row in enumerate(rows):
                if tile != len(block.tiles) - 1:
                    self._point(row, at, tile, n)
                p.V_SUB_VF(row, row, maxima[n], 0, 0)
            for row in rows:
                p.V_EXP_V(row, row, comment="P")

    def _rescale(
        self,
        block: KeyBlock,
        maxima: list[Register],
        spare: list[Register],
        at: LanePointers,
        sink: Register | None,
    ) -> None:
        """What the old sum and the old output count under the new maximum."""
        p = self.p
        old_sum = spare[-1]
        for n, maximum in enumerate(maxima):
            rescale = spare[n % (SPARE - 1)]
            if sink is not None:
                p.S_LD_FP(rescale, sink, 0)
            else:
                p.S_LD_FP(rescale, at.state, n)
            p.S_SUB_FP(rescale, rescale, maximum)
            p.S_EXP_FP(rescale, rescale, comment="exp(m_old - m)")
            if sink is None:
                self.rescale_output(block, at.line, n, rescale)
                p.S_LD_FP(old_sum, at.state, self.sum_offset + n)
                p.S_MUL_FP(rescale, old_sum, rescale)
            p.S_ST_FP(rescale, at.state, self.sum_offset + n, comment="l*exp(m_old - m)")
