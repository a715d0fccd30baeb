"""What the decode step is made of: its scratch, tiles of K and V, products, and the softmax of some rows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from plena_ref.kernels.attention.base import AttentionBase
from plena_ref.kernels.attention.constants import FP_NEG_INF
from plena_ref.kernels.attention.operands import AttentionOperands
from plena_ref.kernels.attention.products import multiply_key_blocks
from plena_ref.kernels.attention.runs import run_length
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.attention.stacking import FEWEST_TILES, Stacking
from plena_ref.kernels.attention.tile_sums import TileSums
from plena_ref.kernels.attention.tiling import query_tiles
from plena_ref.kernels.layout.allocators import VramAllocator
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import F0, GP0, Program, Register
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: Rows whose softmax runs side by side: a maximum and a sum each, in the f-registers beside the scale.
ROWS_AT_ONCE = 3


class DecodeSteps(AttentionBase):
    """One decode step on given tensors.

    Args:
        hw: the machine.
        shape: the problem; SEQ is 1.
        operands: its tensors, from `place`.
        room: where to take scratch from.

    Raises:
        KernelError: the shape breaks a rule.
        LayoutError: a memory is full.
    """

    form = "decode attention"

    #: Nothing depends on what O held before.
    needs_finite_output = False
    #: Products a row at a time; None: when a head of K and V has a single query head.
    by_rows: bool | None = None

    p: Program
    scale: Register
    q_batch: Register
    kv_batch: Register
    k_base: Register
    v_base: Register

    def __init__(self, hw: Hardware, shape: AttentionShape, operands: AttentionOperands, room: Room) -> None:
        self.hw = hw
        self.shape = shape
        self.operands = operands
        if shape.seq != 1:
            raise KernelError(f"decode attention: SEQ must be 1 (got {shape.seq})")
        if shape.group > hw.mlen:
            raise KernelError(f"decode attention: HEADS/KV_HEADS must not exceed MLEN (got {shape.group})")
        self.blocks = self.operands.head_cols // hw.mlen
        #: Key tiles that MSRAM holds beside as many tiles of V.
        self.slots = hw.msram_tiles // (2 * self.blocks)
        if self.slots == 0:
            raise KernelError(
                f"a key tile needs MSRAM_TILES >= 2*ceil(HEAD_DIM/MLEN) = {2 * self.blocks} "
                f"(got {hw.msram_tiles})"
            )
        self.one_row = shape.group == 1 if self.by_rows is None else self.by_rows
        self.step = 1 if self.one_row else hw.blen
        self.key_tiles = query_tiles(shape, hw.mlen)[0].key_tiles
        self.chunks = [
            min(self.slots, len(self.key_tiles) - first)
            for first in range(0, len(self.key_tiles), self.slots)
        ]
        self.state = operands.take_state(room, hw.mlen)
        self.sums = TileSums(hw, len(self.key_tiles), min(ROWS_AT_ONCE, shape.group), room)
        #: Chunks whose outputs are added one after the other.
        self.run_chunks = run_length(len(self.chunks))
        self._place_scratch(room.vram)

    def _place_scratch(self, vram: VramAllocator) -> None:
        mlen, cols, tiles = self.hw.mlen, self.operands.head_cols, len(self.key_tiles)
        self.rows = round_up(self.shape.group, self.step)
        self.queries = vram.tensor("Qs", self.rows, cols)
        self.stacking = self._stacking(vram)
        #: Rows of zeros before the scores.
        self.lead = self.stacking.lead if self.stacking else 0
        self.scores = vram.tensor("S", self.lead + tiles * self.rows, mlen)
        self.accumulator = vram.tensor("Oacc", self.rows, cols)
        self.stack = vram.tensor("stacked products", self.rows, mlen) if self.stacking else None
        self._product = vram.tensor("PV", self.rows, cols) if len(self.chunks) > 1 else None
        runs = len(self.chunks) > self.run_chunks
        self.total = vram.tensor("O of all runs", self.rows, cols) if runs else None
        #: Mask rows by number of the key tile, counted from the first one that is seen.
        self.masks = {
            number: vram.tensor(f"mask {key.index}", 1, mlen)
            for number, key in enumerate(self.key_tiles)
            if key.mask(mlen) is not None
        }

    def _stacking(self, vram: VramAllocator) -> Stacking | None:
        """How column groups of P V share the accumulator; None where they do not."""
        tiles = len(self.key_tiles)
        groups = tuple(self.shape.column_groups(self.hw, block) for block in range(self.blocks))
        found = Stacking(self.hw, self.shape.group, groups)
        if self.one_row or len(self.chunks) > 1 or tiles < FEWEST_TILES or not found.fits:
            return None
        masks = sum(key.mask(self.hw.mlen) is not None for key in self.key_tiles)
        scratch = (2 * self.blocks + tiles + 1) * self.rows + found.lead + masks
        return found if vram.next_free + scratch * self.hw.mlen <= self.hw.vram_elems else None

    def score_row(self, number: int) -> int:
        """The first row of a key tile's scores, in the tensor of them."""
        return self.lead + number * self.rows

    @property
    def product(self) -> VramTensor:
        """Where P V goes when it is added up; there is none where that is not done."""
        assert self._product is not None
        return self._product

    def scratch(self) -> list[Region]:
        """Every other word that the program may write."""
        tensors = [self.queries, self.scores, self.accumulator, self.stack, self._product, self.total]
        tensors += self.masks.values()
        regions = [Region("vram", t.base, t.base + t.elems, t.name) for t in tensors if t is not None]
        msram = (self.slots + self.chunks[0]) * self.blocks * self.hw.tile_elems
        regions.append(Region("msram", 0, msram, "K, V tiles"))
        regions.append(Region("fpmem", self.state, self.state + self.hw.mlen, "mask row, 1/l"))
        return [*regions, *self.sums.regions()]

    def _mask_row(self, number: int, tensor: VramTensor) -> None:
        """0 for the keys that the query sees, the mask value for the others, by way of FP_MEM."""
        p, key = self.p, self.key_tiles[number]
        first = max(0, key.low or 0)
        with p.gp("mask word") as word, p.fp("what hides a score") as hide, p.gp("mask row") as row:
            p.S_LD_FP(hide, GP0, self.operands.constants + FP_NEG_INF)
            p.load_constant(word, self.state)
            parts = ((first, hide), (key.keys - first, F0), (self.hw.mlen - key.keys, hide))
            for count, value in parts:
                if count:
                    with p.repeat(count, f"mask row of key tile {key.index}: {value}"):
                        p.S_ST_FP(value, word, 0)
                        p.add(word, word, 1)
            p.point(row, tensor)
            p.load_constant(word, self.state)
            p.S_MAP_V_FP(row, word, 0)

    def _tile_offset(self, head_offset: int, tile: int) -> int:
        """HBM offset, from the batch's, of a key tile of a head."""
        row = self.key_tiles[tile].index * self.hw.mlen
        return head_offset + row * self.operands.k.row_bytes

    def _point_at_tiles(
        self, tile: Register, offset: Register, number: int, head_offset: int, place: int
    ) -> None:
        """tile, offset = MSRAM tile `place`, and the HBM place of key tile `number` of a head."""
        self.p.load_constant(tile, place * self.hw.tile_elems)
        self.p.add(offset, self.kv_batch, self._tile_offset(head_offset, number))

    def _prefetch(self, tile: Register, offset: Register, base: Register) -> None:
        """Fetch a tile of K or V, all its column blocks, and step both registers to the next one."""
        p, mlen, k = self.p, self.hw.mlen, self.operands.k
        across = k.span(mlen)
        for block in range(self.blocks):
            p.H_PREFETCH_M(tile, offset, base, 1, 0)
            p.add(tile, tile, self.hw.tile_elems)
            down = mlen * k.row_bytes - block * across
            p.add(offset, offset, across if block + 1 < self.blocks else down)

    def _multiply_keys(self, queries: Register, keys: Register) -> None:
        if self.one_row:
            self.p.M_TMV(keys, queries)
        else:
            self.p.M_TMM(queries, keys)

    def _multiply_values(self, values: Register, weights: Register) -> None:
        (self.p.M_MV if self.one_row else self.p.M_MM)(values, weights)

    def _write_out(self, target: Register) -> None:
        if self.one_row:
            self.p.M_MV_WO(target, 0)
        else:
            self.p.M_MM_WO(target, GP0, 0)

    def _multiply_key_blocks(self, queries: Register, keys: Register) -> None:
        """Queries times BLEN keys over all column blocks of the head."""
        walk = (self.blocks, self.queries.block_stride, self.hw.tile_elems)
        multiply_key_blocks(self.p, self._multiply_keys, queries, keys, *walk)

    def _scores(self, keys: Register, target: Register) -> None:
        """Scores of one key tile; `keys` and `target` move by a matrix tile and by a row."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        passes = self.rows // self.step
        with p.gp("queries") as queries:
            p.point(queries, self.queries)
            with p.repeat(mlen // blen, "BLEN keys at a time"):
                if passes == 1:
                    self._multiply_key_blocks(queries, keys)
                    self._write_out(target)
                else:
                    with p.gp("their scores") as scores:
                        p.point(queries, self.queries)
                        p.add(scores, target, 0)
                        with p.repeat(passes, "rows"):
                            self._multiply_key_blocks(queries, keys)
                            self._write_out(scores)
                            p.add(queries, queries, self.step * mlen)
                            p.add(scores, scores, self.step * mlen)
                p.add(keys, keys, blen * mlen)
                p.add(target, target, blen)

    def _add_mask(self, number: int, mask: VramTensor) -> None:
        p, mlen = self.p, self.hw.mlen
        with p.gp("row of S") as row, p.gp("mask row") as hidden:
            p.point(row, self.scores, self.score_row(number))
            p.point(hidden, mask)
            with p.repeat(self.shape.group, f"S += {mask.name}"):
                p.V_ADD_VV(row, row, hidden)
                p.add(row, row, mlen)

    def _softmax_rows(
        self, rows: int, row: Register, state: Register, sink: Register, beside: Callable[[], None] | None
    ) -> None:
        """`rows` rows of S side by side; the registers step on. `beside` writes what comes before P."""
        p, mlen, tiles = self.p, self.hw.mlen, len(self.key_tiles)
        with ExitStack() as stack:
            places = [stack.enter_context(p.gp(f"row {number}")) for number in range(rows)]
            maxima = [stack.enter_context(p.fp(f"maximum {number}")) for number in range(rows)]
            sums = [stack.enter_context(p.fp(f"sum {number}")) for number in range(rows)]
            for number, maximum in enumerate(maxima):
                if self.shape.sinks:
                    p.S_LD_FP(maximum, sink, number, comment="sink")
                else:
                    p.S_LD_FP(maximum, GP0, self.operands.constants + FP_NEG_INF)
                p.add(places[number], row, number * mlen)
            with p.repeat(tiles, "m, a key tile at a time"):
                for place, maximum in zip(places, maxima, strict=True):
                    p.V_RED_MAX(maximum, place)
                    p.add(place, place, self.rows * mlen)
            for number, (maximum, total) in enumerate(zip(maxima, sums, strict=True)):
                if self.shape.sinks:
                    p.S_LD_FP(total, sink, number)
                    p.S_SUB_FP(total, total, maximum)
                    p.S_EXP_FP(total, total, comment="exp(sink - m)")
                    if not self.sums.in_register:
                        p.S_ST_FP(total, state, number)
                elif self.sums.in_register:
                    p.S_ADD_FP(total, F0, F0)
                p.add(places[number], row, number * mlen)
            if beside is not None:
                beside()

            def add_tile() -> None:
                for place, maximum in zip(places, maxima, strict=True):
                    p.V_SUB_VF(place, place, maximum, 0, 0)
                for place in places:
                    p.V_EXP_V(place, place)
                for place, total in zip(places, sums, strict=True):
                    p.V_RED_SUM(total, place)
                    p.add(place, place, self.rows * mlen)

            self.sums.emit(p, sums, add_tile)
            for number, (maximum, total) in enumerate(zip(maxima, sums, strict=True)):
                if self.shape.sinks and not self.sums.in_register:
                    p.S_LD_FP(maximum, state, number, comment="exp(sink - m)")
                    p.S_ADD_FP(total, total, maximum)
                p.S_RECI_FP(total, total)
                p.S_ST_FP(total, state, number, comment="1/l")
        p.add(row, row, rows * mlen)
        p.add(state, state, rows)
        if self.shape.sinks:
            p.add(sink, sink, rows)
