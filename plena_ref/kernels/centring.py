"""Rows without their mean: Y = X - mean(X), sound also where the mean is far larger than what is left.

A mean in bf16 is off by a share of itself, which may be many times the spread of the row. But the difference
of two bf16 numbers that are close is exact, and the mean of the differences is off by a share of what was
left only. So the mean of what is left is subtracted again, until it is as good as 0.
"""

from __future__ import annotations

from contextlib import ExitStack

from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.operator import RowsOperator
from plena_ref.kernels.program import F0, GP0, Program, Register
from plena_ref.kernels.row_sums import RowSums
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: Rows under way at a time.
ROWS_IN_FLIGHT = 3
#: How often the mean of what is left is subtracted.
CENTRINGS = 3


class CentringKernel(RowsOperator):
    """Y = X - mean(X) on given tensors; Y may be X. Padding columns of X hold 0; those of Y become 0.

    Args:
        hw: the machine.
        x, y: rows x features.
        inverse: FP_MEM word in which the host stages 1/features.
        room: where to take scratch from.

    Raises:
        LayoutError: a memory is full.
    """

    def __init__(self, hw: Hardware, x: VramTensor, y: VramTensor, inverse: int, room: Room) -> None:
        self.hw = hw
        self.result = y
        self.x, self.y, self.inverse = x, y, inverse
        self.sums = RowSums(hw, x.cols, ROWS_IN_FLIGHT, "sums of rows", room)
        self.summed = room.vram.tensor("rows of sums", ROWS_IN_FLIGHT, hw.mlen) if self.sums.words else None
        #: 1 in the columns of the last block that are features, where it has others.
        self.mask = room.vram.tensor("mask of features", 1, hw.mlen) if x.cols % hw.mlen else None

    @property
    def title(self) -> str:
        """What it does."""
        return f"{self.x.rows} rows of {self.x.cols} features less their mean"

    def scratch(self) -> list[Region]:
        """Sums of column blocks, the rows that they become, and the mask of the last block."""
        regions = self.sums.regions()
        if self.summed is not None:
            regions += self.summed.row_regions(0, min(ROWS_IN_FLIGHT, self.x.rows))
        if self.mask is not None:
            regions += self.mask.row_regions(0, 1)
        return regions

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        self.sums.clear(p)
        with ExitStack() as stack:
            mask = None
            if self.mask is not None:
                mask = stack.enter_context(p.gp("mask of features"))
                p.point(mask, self.mask)
                self._make_mask(p, mask)
            x, y = (stack.enter_context(p.gp(f"rows of {name}")) for name in "XY")
            p.point(x, self.x)
            p.point(y, self.y)
            full, rest = divmod(self.x.rows, ROWS_IN_FLIGHT)
            for passes, count in ((full, ROWS_IN_FLIGHT), (1, rest)):
                if passes * count:
                    with p.repeat(passes, f"less their mean, {count} rows at a time"):
                        self._centre(p, count, x, y, mask)
                        p.add(x, x, count * self.hw.mlen)
                        p.add(y, y, count * self.hw.mlen)

    def _make_mask(self, p: Program, mask: Register) -> None:
        """1 in the features of the last column block, 0 after them, in the row that `mask` points to."""
        with p.fp("1") as one, p.gp("shift distance") as distance:
            p.S_EXP_FP(one, F0, comment="1")
            p.load_constant(distance, self.hw.mlen)
            p.V_SHFT_V(mask, mask, distance)
            p.V_ADD_VF(mask, mask, one)
            p.load_constant(distance, self.x.cols % self.hw.mlen)
            p.V_SHFT_V(mask, mask, distance, comment="1 behind the features")
            p.V_SUB_VF(mask, mask, one, 0, 1, comment="1 in the features")

    def _centre(self, p: Program, count: int, x: Register, y: Register, mask: Register | None) -> None:
        """`count` rows."""
        with ExitStack() as stack:
            means = [stack.enter_context(p.fp(f"mean, {n}")) for n in range(count)]
            sums = [stack.enter_context(p.fp(f"sum, {n}")) for n in range(count)]
            self._pass(p, [], sums, (x, self.x), (x, self.x), None)
            for number in range(CENTRINGS):
                with p.fp("1/features") as inverse:
                    p.S_LD_FP(inverse, GP0, self.inverse)
                    for mean, total in zip(means, sums, strict=True):
                        p.S_MUL_FP(mean, total, inverse)
                source = (y, self.y) if number else (x, self.x)
                self._pass(p, means, sums if number + 1 < CENTRINGS else [], source, (y, self.y), mask)

    def _pass(
        self,
        p: Program,
        means: list[Register],
        sums: list[Register],
        source: tuple[Register, VramTensor],
        target: tuple[Register, VramTensor],
        mask: Register | None,
    ) -> None:
        """Target = source - means, and the sums of the target's rows; without either where it is empty."""
        mlen, count = self.hw.mlen, max(len(means), len(sums))
        with ExitStack() as stack:
            rows = [stack.enter_context(p.gp(f"row of {target[1].name}, {n}")) for n in range(count)]
            taken, block, row = (
                stack.enter_context(p.gp(purpose)) for purpose in ("column block", "its result", "row")
            )
            word = stack.enter_context(self.sums.word(p))
            p.add(taken, source[0], 0)
            p.add(block, target[0], 0)
            last = int(mask is not None)
            for passes, masked in ((self.x.column_blocks - last, False), (last, True)):
                if not passes:
                    continue
                with p.repeat(passes, "the last column block" if masked else "column blocks"):
                    for n, result in enumerate(rows):
                        p.add(result, block, n * mlen)
                    for n, (result, mean) in enumerate(zip(rows, means, strict=False)):
                        p.add(row, taken, n * mlen)
                        p.V_SUB_VF(result, row, mean, 0, 0)
                    for result in rows if masked else ():
                        p.V_MUL_VV(result, result, mask)
                    if sums:
                        self.sums.add_block(p, sums, rows, word)
                    p.add(taken, taken, source[1].block_stride)
                    p.add(block, block, target[1].block_stride)
            if sums and self.summed is not None:
                for n, result in enumerate(rows):
                    p.point(result, self.summed, n)
                self.sums.finish(p, sums, rows)
