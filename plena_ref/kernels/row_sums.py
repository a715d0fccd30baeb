"""Sums of the numbers of a row, whatever its length, with one rounding a level.

V_RED_SUM adds the MLEN numbers of a column block in f32 and rounds once; the sums of the blocks, written to
FP_MEM, become a row again (S_MAP_V_FP) and are added in the same way, level by level. A running sum in an f
register would round once a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.program import F0, Program, Register
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region


def sum_levels(features: int, mlen: int) -> list[int]:
    """How many numbers each level of the tree of sums adds up; the first are the numbers of a row."""
    levels = [features]
    while levels[-1] > mlen:
        levels.append(-(-levels[-1] // mlen))
    return levels


class RowSums:
    """The tree of sums of a few rows that are under way at a time.

    Args:
        hw: the machine.
        features: numbers of a row.
        in_flight: rows under way.
        what: what is summed, for listings and messages.
        room: where the sums' words are taken from.

    Raises:
        LayoutError: FP_MEM is full.
    """

    def __init__(self, hw: Hardware, features: int, in_flight: int, what: str, room: Room) -> None:
        self.hw = hw
        self.what, self.in_flight = what, in_flight
        #: Numbers of the levels that lie in FP_MEM, and the words of one row under way for each.
        self.levels = sum_levels(features, hw.mlen)[1:]
        self.spans = [round_up(count, hw.mlen) for count in self.levels]
        self.words = in_flight * sum(self.spans)
        self.first = room.fp_mem.take(what, self.words)

    def regions(self) -> list[Region]:
        """The words of FP_MEM that hold sums."""
        return [Region("fpmem", self.first, self.first + self.words, self.what)] if self.words else []

    def clear(self, p: Program) -> None:
        """Words after the last sum of a level are added too: they are 0. Once per program is enough."""
        if self.words:
            with p.gp("word") as word:
                p.load_constant(word, self.first)
                with p.repeat(self.words, f"{self.what} are 0"):
                    p.S_ST_FP(F0, word, 0)
                    p.add(word, word, 1)

    @contextmanager
    def word(self, p: Program) -> Iterator[Register]:
        """The word of a column block's sum, from the first block on."""
        with p.gp("word of its sum") as word:
            p.load_constant(word, self.first)
            yield word

    def add_block(self, p: Program, totals: list[Register], rows: list[Register], word: Register) -> None:
        """A column block's numbers, in `rows`, are added up; `word` steps on."""
        self._reduce(p, totals, rows)
        if self.levels:
            self._store(p, totals, word, 0)

    def finish(self, p: Program, totals: list[Register], scratch: list[Register]) -> None:
        """totals = the sums of all column blocks, one a row; by way of scratch rows."""
        for level, count in enumerate(self.levels):
            self._sum_level(p, level, count, totals, scratch)

    def _level(self, level: int) -> int:
        """First FP_MEM word of a level of sums, that of the first row under way."""
        return self.first + self.in_flight * sum(self.spans[:level])

    def _sum_level(
        self, p: Program, level: int, count: int, totals: list[Register], rows: list[Register]
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
                self._reduce(p, totals, rows)
                if more:
                    self._store(p, totals, word, level + 1)
                p.add(source, source, self.hw.mlen)

    def _reduce(self, p: Program, totals: list[Register], rows: list[Register]) -> None:
        """totals = sums of MLEN elements, one a row."""
        for total in totals:
            p.S_ADD_FP(total, F0, F0)
        for total, row in zip(totals, rows, strict=True):
            p.V_RED_SUM(total, row)

    def _store(self, p: Program, totals: list[Register], word: Register, level: int) -> None:
        """Sums become numbers of a level; `word` steps on."""
        for n, total in enumerate(totals):
            p.S_ST_FP(total, word, n * self.spans[level])
        p.add(word, word, 1)
