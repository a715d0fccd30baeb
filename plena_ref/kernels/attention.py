"""Multi-head flash attention with an online softmax, an MLEN x MLEN tile of scores at a time.

For each head of each batch, each query tile and each key tile that is not wholly in its future:
S = (scale*Q) K^T, mask, m = max(m, row maximum), P = exp(S - m), O = O*exp(m_old - m) + P V; at the last key
tile O/l goes to the output. K and V stream from HBM, the next key tile behind the present one.
How the program is laid out and why each step looks as it does: docs/kernels.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.hardware import Hardware
from plena_ref.kernels.operands import (
    FP_NEG_INF,
    FP_SCALE,
    FP_STATE,
    FP_ZERO,
    AttentionOperands,
    AttentionShape,
    KernelError,
)
from plena_ref.layout import HbmAllocator, HbmTensor, Region, VramAllocator, VramTensor, round_up
from plena_ref.program import GP0, Program, Register


@dataclass(frozen=True)
class KeyTile:
    """A key tile as one query tile sees it.

    Attributes:
        index: number of the key tile.
        keys: valid keys in it, 1..MLEN.
        shift: query row i sees key columns 0..i+shift; None when every row sees every valid key.
        first, last: position among the key tiles of the query tile.
    """

    index: int
    keys: int
    shift: int | None
    first: bool
    last: bool


@dataclass(frozen=True)
class QueryTile:
    """A query tile and the key tiles that it attends to, in order."""

    index: int
    rows: int
    key_tiles: tuple[KeyTile, ...]


def diagonal_shift(first_query: int, first_key: int, keys: int) -> int | None:
    """How far right the causal diagonal lies in a tile, or None when no key of the tile is hidden.

    Args:
        first_query: global position of the tile's first query.
        first_key: global position of its first key.
        keys: valid keys in the tile.
    """
    shift = first_query - first_key
    return shift if keys - 1 > shift else None


def query_tiles(shape: AttentionShape, mlen: int) -> tuple[QueryTile, ...]:
    """The tiles of one head in program order; key tiles wholly in the future are left out."""
    tiles = []
    for query in range(-(-shape.seq // mlen)):
        rows = min(mlen, shape.seq - query * mlen)
        first_position = shape.query_offset + query * mlen
        last_position = first_position + rows - 1
        end = min(shape.kv_seq, last_position + 1) if shape.causal else shape.kv_seq
        count = -(-end // mlen)
        keys = []
        for key in range(count):
            valid = min(mlen, shape.kv_seq - key * mlen)
            shift = diagonal_shift(first_position, key * mlen, valid) if shape.causal else None
            keys.append(KeyTile(key, valid, shift, key == 0, key == count - 1))
        tiles.append(QueryTile(query, rows, tuple(keys)))
    return tuple(tiles)


class AttentionKernel:
    """Places the tensors and scratch of one attention problem and writes its program.

    Args:
        hw: the machine.
        shape: the problem.
        vram, hbm: where to place things.

    Raises:
        KernelError: the shape breaks a rule.
        NotImplementedError: a causal mask with kv_seq != seq across tiles.
        LayoutError: a memory is full.
    """

    #: The first product goes straight to the accumulator, so O may hold anything before the run.
    needs_finite_output = False

    def __init__(self, hw: Hardware, shape: AttentionShape, vram: VramAllocator, hbm: HbmAllocator) -> None:
        self.hw = hw
        self.shape = shape
        self.operands = AttentionOperands.place(hw, shape, vram, hbm)
        if shape.causal and shape.query_offset and shape.kv_seq > hw.mlen:
            raise NotImplementedError(
                f"a causal mask with KV_SEQ != SEQ across tiles is not supported yet "
                f"(KV_SEQ = {shape.kv_seq}, SEQ = {shape.seq}, MLEN = {hw.mlen})"
            )
        self.blocks = self.operands.head_cols // hw.mlen
        self.tiles = query_tiles(shape, hw.mlen)
        self._place_scratch(vram)
        self._place_key_tiles()
        self.p = Program(hw, f"attention: {shape}")

    def _place_scratch(self, vram: VramAllocator) -> None:
        mlen, cols = self.hw.mlen, self.operands.head_cols
        key_tiles = [key for tile in self.tiles for key in tile.key_tiles]
        rows = min(mlen, self.shape.seq)
        self.q_scaled = vram.tensor("Qs", mlen, cols)
        self.scores = vram.tensor("S", mlen, mlen)
        self.accumulator = vram.tensor("Oacc", mlen, cols)
        self.product = vram.tensor("PV", mlen, cols) if any(not key.first for key in key_tiles) else None
        shifts = sorted({key.shift for key in key_tiles if key.shift is not None})
        self.triangles = {shift: vram.tensor(f"mask{shift}", rows, mlen) for shift in shifts}
        partial = {key.keys for key in key_tiles if key.shift is None and key.keys < mlen}
        self.padding_masks = {keys: vram.tensor(f"pad{keys}", 1, mlen) for keys in sorted(partial)}
        self.hidden = vram.tensor("hidden", 1, mlen) if shifts or partial else None

    def _place_key_tiles(self) -> None:
        per_key_tile = 2 * self.blocks
        self.slots = self.hw.msram_tiles // per_key_tile
        if self.slots == 0:
            raise KernelError(
                f"a key tile needs MSRAM_TILES >= 2*ceil(HEAD_DIM/MLEN) = {per_key_tile} "
                f"(got {self.hw.msram_tiles})"
            )
        self.loaded: dict[int, int] = {}
        self.slots_used: set[int] = set()

    # What the program touches

    def outputs(self) -> list[Region]:
        """The words of O that the program writes."""
        return self.operands.o.active_regions()

    def scratch(self) -> list[Region]:
        """Every other word that the program may write; complete once `build` has run."""
        tensors = [self.q_scaled, self.scores, self.accumulator, self.product, self.hidden]
        tensors += [*self.triangles.values(), *self.padding_masks.values()]
        regions = [Region("vram", t.base, t.base + t.elems, t.name) for t in tensors if t is not None]
        slot_elems = 2 * self.blocks * self.hw.tile_elems
        regions += [
            Region("msram", slot * slot_elems, (slot + 1) * slot_elems, f"K, V slot {slot}")
            for slot in sorted(self.slots_used)
        ]
        regions.append(Region("fpmem", FP_STATE, FP_STATE + 3 * self.hw.mlen, "softmax state"))
        return regions

    # The program

    def build(self) -> tuple[list[int], str]:
        """The words of the program and its listing."""
        p, shape = self.p, self.shape
        with (
            p.hbm_base("K") as self.k_base,
            p.hbm_base("V") as self.v_base,
            p.fp("softmax scale") as self.scale,
            p.gp("Q of this head") as self.q_head,
            p.gp("O of this head") as self.o_head,
            p.gp("HBM offset of this head") as self.kv_head,
        ):
            self._set_up()
            with p.repeat(shape.batch, "batches"):
                with p.repeat(shape.heads, "heads"):
                    self._head()
                    self._advance(blocks=self.blocks if shape.heads > 1 else 0)
                back = -shape.heads * self.blocks if shape.heads > 1 else 0
                if shape.batch > 1:
                    self._advance(blocks=back, batches=1)
        return p.finish()

    def _set_up(self) -> None:
        p, mlen = self.p, self.hw.mlen
        k, v = self.operands.k, self.operands.v
        p.comment("HBM tensors: K and V have one shape, so one SCALE and one STRIDE serve both")
        p.set_hbm_base(self.k_base, k.base, "K")
        p.set_hbm_base(self.v_base, v.base, "V")
        with p.gp("a control register") as value:
            p.load_constant(value, k.scale_offset)
            p.C_SET_SCALE_REG(value)
            p.load_constant(value, k.cols)
            p.C_SET_STRIDE_REG(value)
        p.S_LD_FP(self.scale, GP0, FP_SCALE, comment="softmax scale")
        p.point(self.q_head, self.operands.q.batch_view(0))
        p.point(self.o_head, self.operands.o.batch_view(0))
        p.load_constant(self.kv_head, 0)
        self._set_up_masks()
        if self.shape.head_dim % mlen:
            for tensor in filter(None, (self.accumulator, self.product)):
                self._clear_last_block(tensor)

    def _set_up_masks(self) -> None:
        if self.hidden is None:
            return
        p, mlen = self.p, self.hw.mlen
        p.comment("a row of -inf; shifted by n it hides columns n and up")
        with p.gp("the hidden row") as hidden, p.gp("visible columns") as visible:
            p.point(hidden, self.hidden)
            p.load_constant(visible, mlen)
            p.V_SHFT_V(hidden, self.q_head, visible, comment="zeros, whatever was shifted out")
            with p.fp("-inf") as minus_inf:
                p.S_LD_FP(minus_inf, GP0, FP_NEG_INF)
                p.V_ADD_VF(hidden, hidden, minus_inf)
            with p.gp("mask row") as row:
                for keys, tensor in self.padding_masks.items():
                    p.point(row, tensor)
                    p.load_constant(visible, keys)
                    p.V_SHFT_V(row, hidden, visible, comment=f"hides columns {keys} and up")
                for shift, tensor in self.triangles.items():
                    p.point(row, tensor)
                    p.load_constant(visible, shift + 1)
                    with p.repeat(tensor.rows, f"triangle: row i sees columns 0..i+{shift}"):
                        p.V_SHFT_V(row, hidden, visible)
                        p.add(row, row, mlen)
                        p.add(visible, visible, 1)

    def _clear_last_block(self, tensor: VramTensor) -> None:
        p, mlen = self.p, self.hw.mlen
        with p.gp("row") as row, p.gp("shift distance") as distance:
            p.point(row, tensor, 0, (self.blocks - 1) * mlen)
            p.load_constant(distance, mlen)
            with p.repeat(tensor.rows, f"padding columns of {tensor.name} are 0"):
                p.V_SHFT_V(row, self.q_head, distance)
                p.add(row, row, mlen)

    def _advance(self, blocks: int, batches: int = 0) -> None:
        """Move the head pointers by column blocks and batches; either may be 0, blocks may be negative."""
        p, mlen, operands = self.p, self.hw.mlen, self.operands
        for pointer, tensor in ((self.q_head, operands.q), (self.o_head, operands.o)):
            step = blocks * tensor.batch_view(0).block_stride + batches * tensor.batch_stride
            p.add(pointer, pointer, step)
        batch_bytes = operands.kv_rows_per_batch * operands.k.cols
        p.add(self.kv_head, self.kv_head, blocks * mlen + batches * batch_bytes)

    def _head(self) -> None:
        self.loaded = {}
        order = [(tile, key) for tile in self.tiles for key in tile.key_tiles]
        for step, (tile, key) in enumerate(order):
            queries = f"query tile {tile.index}: {tile.rows} rows"
            self.p.comment(f"{queries}; key tile {key.index}: {key.keys} keys")
            if key.first:
                self._scale_queries(tile)
            slot = self._load(key)
            self._scores(tile, slot)
            if step + 1 < len(order) and self._slot(order[step + 1][1]) != slot:
                self._load(order[step + 1][1])
            self._softmax(tile, key)
            self._weigh_values(tile, key, slot)
            if key.last:
                self._normalise(tile, key)
            elif not key.first:
                self._accumulate(tile)

    def _slot(self, key: KeyTile) -> int:
        return key.index % self.slots

    def _load(self, key: KeyTile) -> int:
        """Prefetch K and V of a key tile unless its slot holds them; returns the slot."""
        slot = self._slot(key)
        if self.loaded.get(slot) != key.index:
            self.loaded[slot] = key.index
            self.slots_used.add(slot)
            self._prefetch(self.operands.k, self.k_base, key, slot, 0)
            self._prefetch(self.operands.v, self.v_base, key, slot, self.blocks)
        return slot

    def _prefetch(self, tensor: HbmTensor, base: Register, key: KeyTile, slot: int, first_tile: int) -> None:
        p, mlen = self.p, self.hw.mlen
        with p.gp("MSRAM tile") as tile, p.gp("HBM offset") as offset:
            for block in range(self.blocks):
                p.load_constant(tile, self._tile_address(slot, first_tile + block))
                p.add(offset, self.kv_head, tensor.offset(key.index * mlen, block * mlen))
                what = f"{tensor.name} tile {key.index}, block {block}"
                p.H_PREFETCH_M(tile, offset, base, 1, 0, comment=what)

    def _tile_address(self, slot: int, tile: int) -> int:
        """MSRAM address of a tile of a slot: the K blocks, then the V blocks."""
        return (slot * 2 * self.blocks + tile) * self.hw.tile_elems

    def _row_groups(self, tile: QueryTile) -> int:
        return -(-tile.rows // self.hw.blen)

    def _scale_queries(self, tile: QueryTile) -> None:
        p, mlen = self.p, self.hw.mlen
        view = self.operands.q.batch_view(0)
        rows = round_up(tile.rows, self.hw.blen)
        with p.gp("Q row") as source, p.gp("Qs row") as target:
            for block in range(self.blocks):
                p.add(source, self.q_head, tile.index * mlen * mlen + block * view.block_stride)
                p.point(target, self.q_scaled, 0, block * mlen)
                with p.repeat(rows, f"Qs = scale * Q, column block {block}"):
                    p.V_MUL_VF(target, source, self.scale)
                    p.add(source, source, mlen)
                    p.add(target, target, mlen)

    def _scores(self, tile: QueryTile, slot: int) -> None:
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        with p.gp("BLEN keys") as keys, p.gp("their column of S") as column:
            p.load_constant(keys, self._tile_address(slot, 0), "K tile")
            p.point(column, self.scores)
            with p.repeat(mlen // blen, "S = Qs K^T, BLEN keys at a time"):
                with p.gp("BLEN queries") as queries, p.gp("block of S") as target:
                    p.point(queries, self.q_scaled)
                    p.add(target, column, 0)
                    with p.repeat(self._row_groups(tile), "BLEN queries at a time"):
                        self._score_block(queries, keys)
                        p.M_MM_WO(target, GP0, 0)
                        p.add(queries, queries, blen * mlen)
                        p.add(target, target, blen * mlen)
                p.add(keys, keys, blen * mlen)
                p.add(column, column, blen)

    def _score_block(self, queries: Register, keys: Register) -> None:
        p = self.p
        p.M_TMM(queries, keys)
        if self.blocks == 1:
            return
        with p.gp("queries, next block") as queries_block, p.gp("keys, next block") as keys_block:
            for block in range(1, self.blocks):
                p.add(queries_block, queries if block == 1 else queries_block, self.q_scaled.block_stride)
                p.add(keys_block, keys if block == 1 else keys_block, self.hw.tile_elems)
                p.M_TMM(queries_block, keys_block)

    def _softmax(self, tile: QueryTile, key: KeyTile) -> None:
        p, mlen = self.p, self.hw.mlen
        triangle = self.triangles.get(key.shift) if key.shift is not None else None
        padding = self.padding_masks[key.keys] if key.shift is None and key.keys < mlen else None
        mask = triangle or padding
        with (
            p.gp("row of S") as row,
            p.gp("softmax state") as state,
            p.gp("mask row") as mask_row,
            p.gp("row of Oacc") as output,
            p.fp("maximum") as maximum,
            p.fp("rescale") as rescale,
            p.fp("sum") as total,
        ):
            p.point(row, self.scores)
            p.load_constant(state, FP_STATE)
            if mask:
                p.point(mask_row, mask)
            if not key.first:
                p.point(output, self.accumulator)
            with p.repeat(tile.rows, "softmax, a row at a time"):
                if mask:
                    p.V_ADD_VV(row, row, mask_row)
                self._row_maximum(key, row, state, maximum, rescale)
                p.V_SUB_VF(row, row, maximum, 0, 0)
                p.V_EXP_V(row, row, comment="P")
                self._row_sum(key, row, state, rescale, total)
                if not key.first:
                    self._rescale_row(output, rescale)
                    p.add(output, output, mlen)
                if triangle:
                    p.add(mask_row, mask_row, mlen)
                p.add(row, row, mlen)
                p.add(state, state, 1)

    def _row_maximum(
        self, key: KeyTile, row: Register, state: Register, maximum: Register, rescale: Register
    ) -> None:
        p = self.p
        if key.first:
            p.S_LD_FP(maximum, GP0, FP_NEG_INF)
        else:
            p.S_LD_FP(maximum, state, 0)
            p.S_LD_FP(rescale, state, 0)
        p.V_RED_MAX(maximum, row, comment="m")
        if not key.first:
            p.S_SUB_FP(rescale, rescale, maximum)
            p.S_EXP_FP(rescale, rescale, comment="exp(m_old - m)")
        if not key.last:
            p.S_ST_FP(maximum, state, 0)

    def _row_sum(
        self, key: KeyTile, row: Register, state: Register, rescale: Register, total: Register
    ) -> None:
        p, sum_offset = self.p, 2 * self.hw.mlen
        if key.first:
            p.S_LD_FP(total, GP0, FP_ZERO)
        else:
            p.S_LD_FP(total, state, sum_offset)
            p.S_MUL_FP(total, total, rescale)
        p.V_RED_SUM(total, row, comment="l = l*exp(m_old - m) + row sum")
        p.S_ST_FP(total, state, sum_offset)

    def _rescale_row(self, output: Register, rescale: Register) -> None:
        p = self.p
        p.V_MUL_VF(output, output, rescale)
        if self.blocks == 1:
            return
        with p.gp("row of Oacc, next block") as block_row:
            for block in range(1, self.blocks):
                p.add(block_row, output if block == 1 else block_row, self.accumulator.block_stride)
                p.V_MUL_VF(block_row, block_row, rescale)

    def _weigh_values(self, tile: QueryTile, key: KeyTile, slot: int) -> None:
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        target = self.accumulator if key.first else self.product
        with p.gp("BLEN columns of V") as values, p.gp("their column of the product") as column:
            for block in range(self.blocks):
                p.load_constant(values, self._tile_address(slot, self.blocks + block), "V tile")
                p.point(column, target, 0, block * mlen)
                groups = min(mlen, self.shape.head_dim - block * mlen) // blen
                with p.repeat(groups, f"{target.name} = P V, BLEN columns at a time"):
                    with p.gp("BLEN rows of P") as weights, p.gp("block of the product") as target_block:
                        p.point(weights, self.scores)
                        p.add(target_block, column, 0)
                        with p.repeat(self._row_groups(tile), "BLEN rows at a time"):
                            p.M_MM(values, weights)
                            p.M_MM_WO(target_block, GP0, 0)
                            p.add(weights, weights, blen * mlen)
                            p.add(target_block, target_block, blen * mlen)
                    p.add(values, values, blen * mlen)
                    p.add(column, column, blen)

    def _accumulate(self, tile: QueryTile) -> None:
        p, mlen = self.p, self.hw.mlen
        with p.gp("row of Oacc") as output, p.gp("row of PV") as product:
            for block in range(self.blocks):
                p.point(output, self.accumulator, 0, block * mlen)
                p.point(product, self.product, 0, block * mlen)
                with p.repeat(tile.rows, f"Oacc += PV, column block {block}"):
                    p.V_ADD_VV(output, output, product)
                    p.add(output, output, mlen)
                    p.add(product, product, mlen)

    def _normalise(self, tile: QueryTile, key: KeyTile) -> None:
        p, mlen = self.p, self.hw.mlen
        view = self.operands.o.batch_view(0)
        with (
            p.gp("row of Oacc") as output,
            p.gp("row of PV") as product,
            p.gp("row of O") as target,
            p.gp("softmax state") as state,
            p.fp("1/l") as reciprocal,
        ):
            for block in range(self.blocks):
                p.point(output, self.accumulator, 0, block * mlen)
                if not key.first:
                    p.point(product, self.product, 0, block * mlen)
                p.add(target, self.o_head, tile.index * mlen * mlen + block * view.block_stride)
                p.load_constant(state, FP_STATE + 2 * mlen)
                with p.repeat(tile.rows, f"O = Oacc / l, column block {block}"):
                    p.S_LD_FP(reciprocal, state, 0)
                    p.S_RECI_FP(reciprocal, reciprocal)
                    if not key.first:
                        p.V_ADD_VV(output, output, product)
                        p.add(product, product, mlen)
                    p.V_MUL_VF(target, output, reciprocal)
                    p.add(output, output, mlen)
                    p.add(target, target, mlen)
                    p.add(state, state, 1)
