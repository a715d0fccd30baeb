"""The decode step at the pace of HBM: tiles of V are used as they come, fetches are never far ahead of use.

For few query heads a head of K and V and many keys, where HBM sets the pace: P V is done with the last tile
of V a few cycles after it has come (`stacking.py`), and what can be computed is dispatched before the next
transfer has to wait for a place in the queue. See docs/kernels.md.
"""

from __future__ import annotations

from collections.abc import Callable

from plena_ref.kernels.attention.decode_steps import ROWS_AT_ONCE, DecodeSteps
from plena_ref.kernels.attention.stacking import Stacking
from plena_ref.kernels.program import GP0, Register
from plena_ref.machine.hardware import HBM_QUEUE

#: Tiles of V that are asked for between the maxima and the weights of some rows.
TILES_BESIDE_ROWS = 2


class StackedDecode(DecodeSteps):
    """What the decode step does otherwise where all column groups of P V share the accumulator."""

    @property
    def layout(self) -> Stacking:
        """Where the column groups lie; there is none where they do not share the accumulator."""
        assert self.stacking is not None
        return self.stacking

    @property
    def ahead(self) -> int:
        """Key tiles that are asked for before they are used: as many as the queue of the HBM unit holds."""
        return min(len(self.key_tiles), max(1, HBM_QUEUE // self.blocks))

    @property
    def values_beside_rows(self) -> int:
        """Tiles of V that are fetched beside each pass of the softmax that is in no loop."""
        return min(TILES_BESIDE_ROWS, (len(self.key_tiles) - self.ahead) // max(1, self._rows_apart))

    @property
    def _rows_apart(self) -> int:
        """Passes of the softmax over some rows that are in no loop."""
        whole, rest = divmod(self.shape.group, ROWS_AT_ONCE)
        return (whole == 1) + (rest > 0)

    def _clear_around_weights(self) -> None:
        """Zeros in every row that products of weights read beside them, and beside the sums."""
        if self.stack is None:
            return
        group, unused = self.shape.group, self.rows - self.shape.group
        for block in range(self.blocks):
            if unused:
                self._clear(self.queries.address(group, block * self.hw.mlen), unused, "Qs after its rows")
        self._clear(self.scores.base, self.lead, "before S")
        self._clear(self.stack.base, self.rows, self.stack.name)

    def _clear(self, address: int, rows: int, what: str) -> None:
        p, mlen = self.p, self.hw.mlen
        with p.gp("row") as row, p.gp("columns") as columns:
            p.load_constant(row, address)
            p.load_constant(columns, mlen)
            with p.repeat(rows, f"{what} = 0"):
                p.V_SHFT_V(row, self.q_batch, columns)
                p.add(row, row, mlen)

    def _score_tiles(self, head: int) -> None:
        """Scores of all key tiles; the keys that are not asked for yet, and the first values, come beside."""
        p, mlen = self.p, self.hw.mlen
        tiles = len(self.key_tiles)
        with p.gps("MSRAM tile", "HBM offset", "K tile", "S of the tile") as (tile, offset, keys, target):
            p.load_constant(keys, 0)
            p.point(target, self.scores, self.score_row(0))
            for count, name, first in ((tiles - self.ahead, "K", self.ahead), (self.ahead, "V", 0)):
                if not count:
                    continue
                self._point_at_stream(tile, offset, name, head, first)
                with p.repeat(count, f"S = Qs K^T, a key tile at a time; {name} is fetched"):
                    self._scores(keys, target)
                    p.add(keys, keys, (self.blocks - 1) * self.hw.tile_elems)
                    p.add(target, target, self.rows * mlen - mlen)
                    self._prefetch(tile, offset, self.k_base if name == "K" else self.v_base)

    def _point_at_stream(self, tile: Register, offset: Register, name: str, head: int, number: int) -> None:
        """tile, offset = places of key tile `number` of K or V of a head."""
        head_offset = head * self.operands.k.span(self.operands.head_cols)
        slot = number + (self.slots if name == "V" else 0)
        self._point_at_tiles(tile, offset, number, head_offset, slot * self.blocks)

    def _values_beside_softmax(self, head: int) -> Callable[[], None]:
        """What asks for the next tiles of V each time it is called."""
        numbers = iter(range(self.ahead, len(self.key_tiles), max(1, self.values_beside_rows)))

        def fetch() -> None:
            if not self.values_beside_rows:
                return
            with self.p.gps("MSRAM tile", "HBM offset") as (tile, offset):
                self._point_at_stream(tile, offset, "V", head, next(numbers))
                for _ in range(self.values_beside_rows):
                    self._prefetch(tile, offset, self.v_base)

        return fetch

    def _value_tiles(self, head: int, following: int | None) -> None:
        """P V, a key tile at a time; the first keys of the next head, `following`, come beside the last."""
        p, tiles = self.p, len(self.key_tiles)
        beside = self._rows_apart * self.values_beside_rows
        come = self.ahead + beside
        with p.gps("MSRAM tile", "HBM offset", "V", "P") as (tile, offset, values, weights):
            p.load_constant(values, self.slots * self.blocks * self.hw.tile_elems, "V tile")
            p.point(weights, self.scores, self.score_row(0) - self.lead)
            keys = "K" if following is not None else None
            for count, fetched in ((beside, None), (tiles - come, "V"), (self.ahead, keys)):
                if not count:
                    continue
                if fetched == "V":
                    self._point_at_stream(tile, offset, "V", head, come)
                elif fetched == "K" and following is not None:
                    self._point_at_tiles(tile, offset, 0, following, 0)
                with p.repeat(count, f"P V, a key tile at a time; fetched: {fetched}"):
                    self._weigh_tile(values, weights)
                    if fetched is not None:
                        self._prefetch(tile, offset, self.k_base if fetched == "K" else self.v_base)
            assert self.stack is not None
            p.point(weights, self.stack)
            self._write_out(weights)
        self._gather()

    def _weigh_tile(self, values: Register, weights: Register) -> None:
        """All column groups of P V of a key tile; both registers step on to the next tile."""
        p, mlen = self.p, self.hw.mlen
        group_elems, group_rows = self.hw.blen * mlen, self.shape.group * mlen
        for block, groups in enumerate(self.layout.groups):
            for group in range(groups):
                self._multiply_values(values, weights)
                in_block = group + 1 < groups
                p.add(values, values, group_elems if in_block else self.hw.tile_elems - group * group_elems)
                in_tile = in_block or block + 1 < self.blocks
                p.add(weights, weights, group_rows if in_tile else (self.rows - self.lead) * mlen)

    def _gather(self) -> None:
        """Oacc = the sums of the column groups side by side: each moves on as those before it join."""
        p, mlen, stack = self.p, self.hw.mlen, self.stack
        assert stack is not None
        with p.gps("row of the stack", "BLEN columns") as (source, columns):
            p.point(source, stack)
            p.load_constant(columns, self.hw.blen)
            for block, groups in reversed([*enumerate(self.layout.groups)]):
                first = self.accumulator.address(0, block * mlen)
                self._move_rows(first, source, columns if groups > 1 else GP0)
                if groups > 2:
                    with p.repeat(groups - 2, f"column groups of block {block} join"):
                        self._join_rows(first, source)
                        self._move_rows(first, None, columns)
                if groups > 1:
                    self._join_rows(first, source)

    def _move_rows(self, first: int, source: Register | None, columns: Register) -> None:
        """Rows of Oacc from address `first` on = those at `source`, or themselves, moved by columns."""
        p = self.p

        def move(row: Register) -> None:
            p.V_SHFT_V(row, row if source is None else source, columns)
            if source is not None:
                p.add(source, source, self.hw.mlen)

        self._on_rows(first, move)

    def _join_rows(self, first: int, source: Register) -> None:
        """Rows of Oacc from address `first` on += those at `source`, which steps on."""
        p = self.p

        def join(row: Register) -> None:
            p.V_ADD_VV(row, row, source)
            p.add(source, source, self.hw.mlen)

        self._on_rows(first, join)

    def _on_rows(self, first: int, write: Callable[[Register], None]) -> None:
        """What `write` does to a row, for one row of each query head from address `first` on."""
        p, group = self.p, self.shape.group
        with p.gp("row of Oacc") as row:
            p.load_constant(row, first)
            if group > ROWS_AT_ONCE:
                with p.loop(group, "rows"):
                    write(row)
                    p.add(row, row, self.hw.mlen)
                return
            for number in range(group):
                write(row)
                if number + 1 < group:
                    p.add(row, row, self.hw.mlen)
