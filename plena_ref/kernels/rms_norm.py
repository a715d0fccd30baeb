"""RMSNorm: Y = X / sqrt(mean(X^2) + eps) * weight, row by row; with a bias, + bias.

A row's sum of squares is a tree (`row_sums.py`): a square passes through one rounding a level, however many
column blocks there are. docs/accuracy.md derives the bound.

Squares need no scaling: bf16 has the exponents of f32, so |x| may be up to 2^63 / sqrt(features).
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.operator import RowsOperator
from plena_ref.kernels.program import GP0, Program, Register
from plena_ref.kernels.row_sums import RowSums
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: Rows that are under way at a time, so that one row's chain of steps runs in the shadow of the others'.
ROWS_IN_FLIGHT = 3
#: FP_MEM words that the host stages: 1/features and eps.
INVERSE, EPSILON = 0, 1
CONSTANTS = 2


@dataclass(frozen=True)
class NormOperands:
    """What a norm works on; Y may be X. Padding columns of X hold 0; those of Y become 0.

    Attributes:
        x, y: rows x features.
        weight: 1 x features; its padding columns hold finite numbers.
        constants: FP_MEM word from which the host stages 1/features and eps.
        bias: 1 x features, 0 in padding columns; or None.
    """

    x: VramTensor
    weight: VramTensor
    y: VramTensor
    constants: int
    bias: VramTensor | None = None


class RmsNormKernel(RowsOperator):
    """RMSNorm on given tensors, plus a bias where there is one.

    Args:
        hw: the machine.
        operands: the tensors, and the constants.
        room: where to take scratch from.

    Raises:
        LayoutError: a memory is full.
    """

    def __init__(self, hw: Hardware, operands: NormOperands, room: Room) -> None:
        self.hw = hw
        self.result, self.y = operands.y, operands.y
        self.x, self.weight, self.bias = operands.x, operands.weight, operands.bias
        self.constants = operands.constants
        self.squares = room.vram.tensor("squares", ROWS_IN_FLIGHT, hw.mlen)
        self.sums = RowSums(hw, self.x.cols, ROWS_IN_FLIGHT, "sums of squares", room)

    @property
    def title(self) -> str:
        """What it does."""
        return f"RMSNorm of {self.x.rows} rows of {self.x.cols} features"

    def scratch(self) -> list[Region]:
        """Squares of the rows in flight and sums of their column blocks."""
        rows = min(ROWS_IN_FLIGHT, self.x.rows)
        return [*self.squares.row_regions(0, rows), *self.sums.regions()]

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        self.sums.clear(p)
        full, rest = divmod(self.x.rows, ROWS_IN_FLIGHT)
        step = self.hw.mlen
        with p.gp("rows of X") as x, p.gp("rows of Y") as y:
            p.point(x, self.x)
            p.point(y, self.y)
            for passes, count in ((full, ROWS_IN_FLIGHT), (1, rest)):
                if passes * count:
                    with p.repeat(passes, f"RMSNorm, {count} rows at a time"):
                        self._normalise(p, count, x, y)
                        p.add(x, x, count * step)
                        p.add(y, y, count * step)

    def _normalise(self, p: Program, count: int, x: Register, y: Register) -> None:
        """`count` rows."""
        with ExitStack() as stack:
            factors = [stack.enter_context(p.fp(f"sum, then 1/rms, {n}")) for n in range(count)]
            self._sum_squares(p, factors, x)
            self._invert(p, factors)
            self._scale(p, factors, x, y)

    def _sum_squares(self, p: Program, sums: list[Register], x: Register) -> None:
        """sums = sums of x^2, one a row."""
        with ExitStack() as stack:
            squares = [stack.enter_context(p.gp(f"squares, {n}")) for n in range(len(sums))]
            for n, row in enumerate(squares):
                p.point(row, self.squares, n)
            with p.gp("column block of X") as block, p.gp("row") as row:
                p.add(block, x, 0)
                with self.sums.word(p) as word, p.repeat(self.x.column_blocks, "squares, by column blocks"):
                    for n, square in enumerate(squares):
                        p.add(row, block, n * self.hw.mlen)
                        p.V_MUL_VV(square, row, row)
                    self.sums.add_block(p, sums, squares, word)
                    p.add(block, block, self.x.block_stride)
            self.sums.finish(p, sums, squares)

    def _invert(self, p: Program, factors: list[Register]) -> None:
        """factors = 1 / sqrt(factors / features + eps)."""
        with p.fp("1/features") as inverse, p.fp("eps") as epsilon:
            p.S_LD_FP(inverse, GP0, self.constants + INVERSE)
            p.S_LD_FP(epsilon, GP0, self.constants + EPSILON)
            for factor in factors:
                p.S_MUL_FP(factor, factor, inverse)
            for factor in factors:
                p.S_ADD_FP(factor, factor, epsilon)
            for factor in factors:
                p.S_SQRT_FP(factor, factor)
            for factor in factors:
                p.S_RECI_FP(factor, factor, comment="1/rms")

    def _scale(self, p: Program, factors: list[Register], x: Register, y: Register) -> None:
        """Y = X * factor * weight + bias, a column block at a time."""
        with ExitStack() as stack:
            rows = [stack.enter_context(p.gp(f"row of Y, {n}")) for n in range(len(factors))]
            source, target, weight, row = (
                stack.enter_context(p.gp(purpose))
                for purpose in ("column block of X", "column block of Y", "weights", "row of X")
            )
            p.add(source, x, 0)
            p.add(target, y, 0)
            p.point(weight, self.weight)
            moving = [(source, self.x), (target, self.y), (weight, self.weight)]
            if self.bias is not None:
                bias = stack.enter_context(p.gp("bias"))
                p.point(bias, self.bias)
                moving.append((bias, self.bias))
            with p.repeat(self.x.column_blocks, "Y = X / rms * weight, a column block at a time"):
                for n, (factor, result) in enumerate(zip(factors, rows, strict=True)):
                    p.add(row, source, n * self.hw.mlen)
                    p.add(result, target, n * self.hw.mlen)
                    p.V_MUL_VF(result, row, factor)
                for result in rows:
                    p.V_MUL_VV(result, result, weight)
                if self.bias is not None:
                    for result in rows:
                        p.V_ADD_VV(result, result, bias)
                for pointer, tensor in moving:
                    p.add(pointer, pointer, tensor.block_stride)
