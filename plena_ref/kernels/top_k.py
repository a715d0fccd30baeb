"""The largest logits of a row and their places, descending, equal ones by lower index; argmax is k = 1.

A tree of maxima: V_RED_MAX makes a number of each column block, MLEN of these make a row of the next level
(by way of FP_MEM, S_MAP_V_FP), until one row is left. From the top down, V_TOPK says where in a row the
largest is, the first of equal ones, and with it which row of the level below to look at. For the next
largest, the one that was found becomes -inf, and the maxima above it are made again.

Logits are not NaN: V_RED_MAX gives NaN for a block that holds one, and V_TOPK passes over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import F0, GP0, Program, Register
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: V_TOPK's policy 1: the places of 8 among 128 logits.
POLICY, WINDOW, PLACES = 1, 128, 8
#: Maxima that are under way at a time.
IN_FLIGHT = 4


def level_rows(blocks: int, mlen: int) -> list[int]:
    """Rows of each level, the logits' first: whole groups of MLEN rows below the one row at the top."""
    needed = [blocks]
    while needed[-1] > 1:
        needed.append(-(-needed[-1] // mlen))
    return [above * mlen for above in needed[1:]] + [1]


class TopKKernel:
    """Values and places of the `count` largest logits of every row.

    Args:
        hw: the machine.
        logits: rows x vocabulary; they stay as they are.
        values: rows x count; padding columns become 0.
        places: first of the INT_MEM words of the places, `count` a row.
        room: where to take scratch from.

    Raises:
        KernelError: MLEN is above 128, or `count` does not fit a row or the logits.
        LayoutError: a memory is full.
    """

    def __init__(self, hw: Hardware, logits: VramTensor, values: VramTensor, places: int, room: Room) -> None:
        self.hw, self.logits, self.values, self.places = hw, logits, values, places
        self.count = values.cols
        if hw.mlen > WINDOW:
            raise KernelError(f"top-k needs MLEN <= {WINDOW} (got {hw.mlen})")
        if not 1 <= self.count <= min(hw.mlen, logits.cols):
            raise KernelError(
                f"COUNT must lie in 1..{min(hw.mlen, logits.cols)}, MLEN and VOCABULARY at most "
                f"(got {self.count})"
            )
        vram = room.vram
        rows = level_rows(logits.column_blocks, hw.mlen)
        self.levels = [vram.tensor(f"maxima, level {n}", count, hw.mlen) for n, count in enumerate(rows)]
        self.window = vram.tensor("window of V_TOPK", WINDOW // hw.mlen, hw.mlen)
        self.ones = vram.tensor("ones", 1, hw.mlen)
        self.hidden = vram.tensor("what hides the largest", 2, hw.mlen)
        self.maxima = room.fp_mem.take("maxima of a row", hw.mlen)
        self.found = room.fp_mem.take("values of a row", hw.mlen)
        self.weights = room.fp_mem.take("weights of V_TOPK", PLACES)
        self.ranks = room.int_mem.take("places of V_TOPK", PLACES)
        self.path = room.int_mem.take("rows of the levels", len(rows))

    @property
    def title(self) -> str:
        """What it does."""
        return f"top {self.count} of {self.logits.cols} logits, {self.logits.rows} rows"

    def outputs(self) -> list[Region]:
        """Values, padding columns included, and places."""
        end = self.places + self.logits.rows * self.count
        return [*self.values.row_regions(0, self.values.rows), Region("intmem", self.places, end, "places")]

    def scratch(self) -> list[Region]:
        """The levels, what V_TOPK reads and writes, and the way down."""
        tensors = [*self.levels, self.window, self.ones, self.hidden]
        regions = [Region("vram", t.base, t.base + t.elems, t.name) for t in tensors]
        words = (("maxima of a row", self.maxima), ("values of a row", self.found))
        regions += [Region("fpmem", first, first + self.hw.mlen, name) for name, first in words]
        regions.append(Region("fpmem", self.weights, self.weights + PLACES, "weights of V_TOPK"))
        regions.append(Region("intmem", self.ranks, self.ranks + PLACES, "places of V_TOPK"))
        return [*regions, Region("intmem", self.path, self.path + len(self.levels), "rows of the levels")]

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        with p.fps("-inf", "1") as (self.lowest, self.one), p.gp("MLEN") as self.mlen:
            p.S_RECI_FP(self.lowest, F0)
            p.S_SUB_FP(self.lowest, F0, self.lowest, comment="-inf")
            p.S_EXP_FP(self.one, F0, comment="1")
            p.load_constant(self.mlen, self.hw.mlen)
            self._set_up(p)
            with p.gps("row of logits", "row of values", "word of a place") as (logits, values, place):
                p.point(logits, self.logits)
                p.point(values, self.values)
                p.load_constant(place, self.places)
                with p.repeat(self.logits.rows, "a row of logits"):
                    self._copy(p, logits)
                    for level in range(1, len(self.levels)):
                        self._maxima(p, level, None, self.levels[level].rows)
                    with p.gp("word of a value") as word:
                        p.load_constant(word, self.found)
                        with p.repeat(self.count, "the largest, then the next"):
                            self._find(p, word, place)
                            if self.count > 1:
                                self._hide(p)
                    with p.gp("values") as word:
                        p.load_constant(word, self.found)
                        p.S_MAP_V_FP(values, word, 0)
                    p.add(logits, logits, self.hw.mlen)
                    p.add(values, values, self.hw.mlen)

    def _fill(self, p: Program, tensor: VramTensor, first: int, value: Register) -> None:
        """Rows `first` and up of a tensor of one column block become a number."""
        if first == tensor.rows:
            return
        with p.gp("row") as row:
            p.point(row, tensor, first)
            with p.repeat(tensor.rows - first, f"{tensor.name} from row {first} on"):
                p.V_SHFT_V(row, row, self.mlen)
                p.V_ADD_VF(row, row, value)
                p.add(row, row, self.hw.mlen)

    def _set_up(self, p: Program) -> None:
        """Rows of -inf and 1, and words of 0 after the values."""
        self._fill(p, self.ones, 0, self.one)
        self._fill(p, self.window, 0, self.lowest)
        for level, tensor in enumerate(self.levels[1:-1], 1):
            used = -(-self.levels[level - 1].rows // self.hw.mlen)
            self._fill(p, tensor, used, self.lowest)
        self._fill(p, self.levels[0], self.logits.column_blocks, self.lowest)
        with p.gp("word") as word:
            p.load_constant(word, self.found)
            with p.repeat(self.hw.mlen, "words after the values are 0"):
                p.S_ST_FP(F0, word, 0)
                p.add(word, word, 1)

    def _copy(self, p: Program, logits: Register) -> None:
        """A row of logits to level 0, -inf in its padding columns."""
        used = self.logits.cols % self.hw.mlen
        with p.gps("column block", "its copy") as (source, target):
            p.add(source, logits, 0)
            p.point(target, self.levels[0])
            with p.repeat(self.logits.column_blocks, "a column block of logits"):
                p.V_SHFT_V(target, source, GP0)
                p.add(source, source, self.logits.block_stride)
                p.add(target, target, self.hw.mlen)
            if used:
                with p.gps("-inf in padding columns", "columns") as (mask, columns):
                    p.point(mask, self.hidden)
                    p.load_constant(columns, used)
                    p.V_SHFT_V(mask, mask, self.mlen)
                    p.V_ADD_VF(mask, mask, self.lowest)
                    p.V_SHFT_V(mask, mask, columns)
                    p.add(target, target, -self.hw.mlen)
                    # Padding may hold any finite number.
                    p.V_ADD_VV(target, target, mask)

    def _maxima(self, p: Program, level: int, row: Register | None, rows: int) -> None:
        """Rows of a level from the one below: all that are needed, or the one at `row` (its number)."""
        mlen, below = self.hw.mlen, self.levels[level - 1]
        count = min(rows, -(-below.rows // mlen)) if row is None else 1
        with p.gps("row of maxima", "rows below") as (target, source), ExitStack() as stack:
            maxima = [stack.enter_context(p.fp(f"maximum, {n}")) for n in range(IN_FLIGHT)]
            p.point(target, self.levels[level])
            p.point(source, below)
            if row is not None:
                with p.gp("distance") as distance:
                    p.S_MUL_INT(distance, row, self.mlen)
                    p.S_ADD_INT(target, target, distance)
                    p.S_MUL_INT(distance, distance, self.mlen)
                    p.S_ADD_INT(source, source, distance)
            with p.repeat(count, f"maxima, level {level}"):
                self._row_of_maxima(p, source, maxima)
                with p.gp("maxima") as word:
                    p.load_constant(word, self.maxima)
                    p.S_MAP_V_FP(target, word, 0)
                p.add(target, target, mlen)

    def _row_of_maxima(self, p: Program, source: Register, maxima: Sequence[Register]) -> None:
        """The maxima of MLEN rows into FP_MEM; `source` steps on past them."""
        with p.gps("word", "row") as (word, row):
            p.load_constant(word, self.maxima)
            with p.repeat(self.hw.mlen // IN_FLIGHT, f"{IN_FLIGHT} rows at a time"):
                for maximum in maxima:
                    p.S_ADD_FP(maximum, self.lowest, F0)
                for n, maximum in enumerate(maxima):
                    p.add(row, source, n * self.hw.mlen)
                    p.V_RED_MAX(maximum, row)
                for n, maximum in enumerate(maxima):
                    p.S_ST_FP(maximum, word, n)
                p.add(word, word, IN_FLIGHT)
                p.add(source, source, IN_FLIGHT * self.hw.mlen)

    def _find(self, p: Program, word: Register, place: Register) -> None:
        """The way down to the largest: its value, and its place among the logits."""
        with p.gps("row number", "row", "window", "rank", "weights") as (number, row, window, rank, weights):
            p.load_constant(number, 0)
            p.point(window, self.window)
            p.load_constant(weights, self.weights)
            for level in reversed(range(len(self.levels))):
                p.S_ST_INT(number, GP0, self.path + level)
                p.S_MUL_INT(number, number, self.mlen)
                p.point(row, self.levels[level])
                p.S_ADD_INT(row, row, number)
                p.V_SHFT_V(window, row, GP0)
                if level == len(self.levels) - 1:
                    with p.fp("largest") as largest:
                        p.S_ADD_FP(largest, self.lowest, F0)
                        p.V_RED_MAX(largest, row)
                        p.S_ST_FP(largest, word, 0)
                p.load_constant(rank, self.ranks)
                p.V_TOPK(weights, window, rank, POLICY)
                p.S_LD_INT(rank, GP0, self.ranks)
                p.S_ADD_INT(number, number, rank)
            p.S_ST_INT(number, place, 0)
            p.add(word, word, 1)
            p.add(place, place, 1)

    def _hide(self, p: Program) -> None:
        """The largest becomes -inf, and the maxima above it are made again."""
        with p.gps("row", "rank", "ones from it on", "ones after it") as (row, rank, first, second):
            p.S_LD_INT(rank, GP0, self.ranks)
            p.point(row, self.ones)
            p.point(first, self.hidden)
            p.point(second, self.hidden, 1)
            p.V_SHFT_V(first, row, rank)
            p.add(rank, rank, 1)
            p.V_SHFT_V(second, row, rank)
            p.V_SUB_VV(first, first, second)
            p.V_SUB_VF(first, first, self.one, 0, 1)
            p.V_RECI_V(first, first)
            p.V_SUB_VF(first, first, self.one, 0, 1, comment="-inf at the largest, 0 elsewhere")
            p.S_LD_INT(rank, GP0, self.path)
            p.S_MUL_INT(rank, rank, self.mlen)
            p.point(row, self.levels[0])
            p.S_ADD_INT(row, row, rank)
            p.V_ADD_VV(row, row, first)
        for level in range(1, len(self.levels)):
            with p.gp("row number") as number:
                p.S_LD_INT(number, GP0, self.path + level)
                self._maxima(p, level, number, 1)
