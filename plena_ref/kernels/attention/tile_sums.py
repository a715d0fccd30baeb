"""Sums over the key tiles of a row, however many: runs in an f register, then trees of f32.

V_RED_SUM adds up the MLEN numbers of a tile in f32 and rounds into the f register; a run has at most RUN
tiles. The sums of MLEN runs go to FP_MEM, become a row (S_MAP_V_FP) and are added by the tree with one
rounding, and so on, level by level. A level has words for one row only, so 1,024 words do for 65,536 keys at
any MLEN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from plena_ref.kernels.attention.runs import RUN
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.program import F0, GP0, Program, Register
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region


class TileSums:
    """The sums of a few rows that are under way at a time.

    Args:
        hw: the machine.
        tiles: key tiles of a row.
        in_flight: rows under way.
        room: where scratch is taken from.

    Raises:
        LayoutError: a memory is full.
    """

    def __init__(self, hw: Hardware, tiles: int, in_flight: int, room: Room) -> None:
        self.hw, self.tiles = hw, tiles
        #: Tiles that a sum of each level adds up at most; the first is a run.
        self.capacities = [RUN]
        #: Words of a row that each level takes; the first has none.
        self.words = [0]
        while self.capacities[-1] < tiles:
            self.words.append(min(hw.mlen, -(-tiles // self.capacities[-1])))
            self.capacities.append(self.capacities[-1] * hw.mlen)
        taken = in_flight * sum(self.words)
        # S_MAP_V_FP reads MLEN words from the first of a row's words on; V_SHFT_V drops those of others.
        self.taken = taken + hw.mlen if taken else 0
        self.first = room.fp_mem.take("sums over key tiles", self.taken)
        self.bases = [self.first + in_flight * sum(self.words[:level]) for level in range(len(self.words))]
        self.rows = room.vram.tensor("row of sums", in_flight, hw.mlen) if taken else None

    @property
    def in_register(self) -> bool:
        """A row's sum is one run."""
        return self.rows is None

    def regions(self) -> list[Region]:
        """The words and rows that hold sums."""
        if self.rows is None:
            return []
        rows = Region("vram", self.rows.base, self.rows.base + self.rows.elems, self.rows.name)
        return [Region("fpmem", self.first, self.first + self.taken, "sums over key tiles"), rows]

    def emit(self, p: Program, totals: Sequence[Register], tile: Callable[[], None]) -> None:
        """totals = sums of the rows; a run starts from what they hold if it is the only one, else from 0.

        Args:
            p: the program.
            totals: f registers, one a row.
            tile: writes what adds the next tile of each row to its total.
        """
        if self.in_register:
            self._run(p, self.tiles, tile)
        else:
            self._level(p, len(self.words) - 1, self.tiles, totals, tile)

    def _run(self, p: Program, tiles: int, tile: Callable[[], None]) -> None:
        with p.repeat(tiles, "P and l, a key tile at a time"):
            tile()

    def _level(
        self, p: Program, level: int, tiles: int, totals: Sequence[Register], tile: Callable[[], None]
    ) -> None:
        """totals = sums of the next `tiles` key tiles."""
        if level == 0:
            for total in totals:
                p.S_ADD_FP(total, F0, F0)
            self._run(p, tiles, tile)
            return
        below = self.capacities[level - 1]
        if tiles <= below:
            self._level(p, level - 1, tiles, totals, tile)
            return
        whole, rest = divmod(tiles, below)
        with p.loop(whole, f"sums of {below} key tiles") as counter:
            self._level(p, level - 1, below, totals, tile)
            # The counter goes down to 1.
            self._store(p, totals, counter, self.bases[level] - (not rest), self.words[level])
        if rest:
            self._level(p, level - 1, rest, totals, tile)
            self._store(p, totals, GP0, self.bases[level], self.words[level])
        self._add_up(p, level, whole + bool(rest), totals)

    @staticmethod
    def _store(p: Program, totals: Sequence[Register], index: Register, first: int, step: int) -> None:
        for n, total in enumerate(totals):
            p.S_ST_FP(total, index, first + n * step)

    def _add_up(self, p: Program, level: int, count: int, totals: Sequence[Register]) -> None:
        """totals = sums of the first `count` words of a level."""
        assert self.rows is not None
        with p.gp("words of others") as others, p.gp("row of sums") as row:
            p.load_constant(others, self.hw.mlen - count)
            for n, total in enumerate(totals):
                p.point(row, self.rows, n)
                p.S_MAP_V_FP(row, GP0, self.bases[level] + n * self.words[level])
                p.V_SHFT_V(row, row, others)
                p.S_ADD_FP(total, F0, F0)
                p.V_RED_SUM(total, row, comment=f"level {level} of the sums")
