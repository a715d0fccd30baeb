"""RMSNorm: Y = X / sqrt(mean(X^2) + eps) * weight, row by row.

A row's sum of squares is a tree: V_RED_SUM adds the MLEN squares of a column block in f32 and rounds once;
the sums of the blocks, written to FP_MEM, become a row again (S_MAP_V_FP) and are added in the same way,
level by level. So a square passes through one rounding a level, however many column blocks there are; a
running sum in an f register would round once a block. docs/accuracy.md derives the bound.

Squares need no scaling: bf16 has the exponents of f32, so |x| may be up to 2^63 / sqrt(features).
"""

from __future__ import annotations

from contextlib import ExitStack

from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import F0, GP0, Program, Register
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: Rows that are under way at a time, so that one row's chain of steps runs in the shadow of the others'.
ROWS_IN_FLIGHT = 3
#: FP_MEM words that the host stages: 1/features and eps.
INVERSE, EPSILON = 0, 1
CONSTANTS = 2


def sum_levels(features: int, mlen: int) -> list[int]:
    """How many numbers each level of the tree of sums adds up; the first are the squares of a row."""
    levels = [features]
    while levels[-1] > mlen:
        levels.append(-(-levels[-1] // mlen))
    return levels


class RmsNormKernel:
    """RMSNorm on given tensors. Padding columns of X hold 0; those of Y become 0.

    Args:
        hw: the machine.
        x, y: rows x features.
        weight: 1 x features; its padding columns hold finite numbers.
        constants: FP_MEM word from which the host stages 1/features and eps.
        room: where to take scratch from.

    Raises:
        LayoutError: a memory is full.
    """

    def __init__(
        self, hw: Hardware, x: VramTensor, weight: VramTensor, y: VramTensor, constants: int, room: Room
    ) -> None:
        self.hw = hw
        self.x, self.weight, self.y = x, weight, y
        self.constants = constants
        self.squares = room.vram.tensor("squares", ROWS_IN_FLIGHT, hw.mlen)
        #: Numbers of the levels that lie in FP_MEM, and the words of one row in flight for each.
        self.levels = sum_levels(x.cols, hw.mlen)[1:]
        self.spans = [round_up(count, hw.mlen) for count in self.levels]
        self.words = ROWS_IN_FLIGHT * sum(self.spans)
        self.sums = room.fp_mem.take("sums of squares", self.words)

    @property
    def title(self) -> str:
        """What it does."""
        return f"RMSNorm of {self.x.rows} rows of {self.x.cols} features"

    def outputs(self) -> list[Region]:
        """The rows of Y, padding columns included."""
        return self.y.row_regions(0, self.y.rows)

    def scratch(self) -> list[Region]:
        """Squares of the rows in flight and sums of their column blocks."""
        rows = min(ROWS_IN_FLIGHT, self.x.rows)
        regions = self.squares.row_regions(0, rows)
        if self.words:
            regions.append(Region("fpmem", self.sums, self.sums + self.words, "sums of squares"))
        return regions

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        self._clear_sums(p)
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

    def _clear_sums(self, p: Program) -> None:
        """Words behind the last sum of a level are added too: they are 0."""
        if self.words:
            with p.gp("word") as word:
                p.load_constant(word, self.sums)
                with p.repeat(self.words, "sums of squares are 0"):
                    p.S_ST_FP(F0, word, 0)
                    p.add(word, word, 1)

    def _level(self, level: int) -> int:
        """First FP_MEM word of a level of sums, that of the first row in flight."""
        return self.sums + ROWS_IN_FLIGHT * sum(self.spans[:level])

    def _sum_squares(self, p: Program, sums: list[Register], x: Register) -> None:
        """sums = sums of x^2, one a row."""
        with ExitStack() as stack:
            squares = [stack.enter_context(p.gp(f"squares, {n}")) for n in range(len(sums))]
            for n, row in enumerate(squares):
                p.point(row, self.squares, n)
            with p.gp("column block of X") as block, p.gp("word of its sum") as word, p.gp("row") as row:
                p.add(block, x, 0)
                p.load_constant(word, self.sums)
                with p.repeat(self.x.column_blocks, "squares, a column block at a time"):
                    for n, square in enumerate(squares):
                        p.add(row, block, n * self.hw.mlen)
                        p.V_MUL_VV(square, row, row)
                    self._reduce(p, sums, squares)
                    if self.levels:
                        self._store(p, sums, word, 0)
                    p.add(block, block, self.x.block_stride)
            for level, count in enumerate(self.levels):
                self._sum_level(p, level, count, sums, squares)

    def _sum_level(
        self, p: Program, level: int, count: int, sums: list[Register], rows: list[Register]
    ) -> None:
        """Add the `count` numbers of a level, MLEN at a time."""
        with p.gp("words of a level") as source, p.gp("word of their sum") as word:
            p.load_constant(source, self._level(level))
            more = level + 1 < len(self.levels)
            if more:
                p.load_constant(word, self._level(level + 1))
            with p.repeat(-(-count // self.hw.mlen), f"level {level + 2} of the sums"):
                for n, row in enumerate(rows):
                    p.S_MAP_V_FP(row, source, n * self.spans[level])
                self._reduce(p, sums, rows)
                if more:
                    self._store(p, sums, word, level + 1)
                p.add(source, source, self.hw.mlen)

    def _reduce(self, p: Program, sums: list[Register], rows: list[Register]) -> None:
        """sums = sums of MLEN elements, one a row."""
        for total in sums:
            p.S_ADD_FP(total, F0, F0)
        for total, row in zip(sums, rows, strict=True):
            p.V_RED_SUM(total, row)

    def _store(self, p: Program, sums: list[Register], word: Register, level: int) -> None:
        """Sums become numbers of a level; `word` steps on."""
        for n, total in enumerate(sums):
            p.S_ST_FP(total, word, n * self.spans[level])
        p.add(word, word, 1)

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
        """Y = X * factor * weight, a column block at a time."""
        with ExitStack() as stack:
            rows = [stack.enter_context(p.gp(f"row of Y, {n}")) for n in range(len(factors))]
            source, target, weight, row = (
                stack.enter_context(p.gp(purpose))
                for purpose in ("column block of X", "column block of Y", "weights", "row of X")
            )
            p.add(source, x, 0)
            p.add(target, y, 0)
            p.point(weight, self.weight)
            with p.repeat(self.x.column_blocks, "Y = X / rms * weight, a column block at a time"):
                for n, (factor, result) in enumerate(zip(factors, rows, strict=True)):
                    p.add(row, source, n * self.hw.mlen)
                    p.add(result, target, n * self.hw.mlen)
                    p.V_MUL_VF(result, row, factor)
                for result in rows:
                    p.V_MUL_VV(result, result, weight)
                for pointer, tensor in ((source, self.x), (target, self.y), (weight, self.weight)):
                    p.add(pointer, pointer, tensor.block_stride)
