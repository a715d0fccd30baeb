"""Multi-head flash attention with an online softmax, an MLEN x MLEN tile of scores at a time.

For each head of each batch, each query tile and each key tile of which it sees anything:
S = (scale*Q) K^T, mask, m = max(m, row maximum), P = exp(S - m), O = O*exp(m_old - m) + P V; at the last key
tile O/l goes to the output. K and V stream from HBM, the next key tile behind the present one; or, when
several query heads share them and they fit, once for all these heads.
How the program is laid out and why each step looks as it does: docs/kernels.md.
"""

from __future__ import annotations

from contextlib import ExitStack

from plena_ref.hardware import Hardware
from plena_ref.kernels.operands import (
    FP_LOWEST,
    FP_NEG_INF,
    FP_SCALE,
    FP_STATE,
    FP_ZERO,
    AttentionOperands,
    AttentionShape,
    KernelError,
    fp_sinks,
)
from plena_ref.kernels.tiling import KeyTile, Mask, QueryTile, query_tiles
from plena_ref.layout import HbmAllocator, HbmTensor, Region, VramAllocator, VramTensor, round_up
from plena_ref.program import F0, GP0, Program, Register


class AttentionKernel:
    """Places the tensors and scratch of one attention problem and writes its program.

    Args:
        hw: the machine.
        shape: the problem.
        vram, hbm: where to place things.

    Raises:
        KernelError: the shape breaks a rule.
        LayoutError: a memory is full.
    """

    #: The first product goes straight to the accumulator, so O may hold anything before the run.
    needs_finite_output = False

    def __init__(self, hw: Hardware, shape: AttentionShape, vram: VramAllocator, hbm: HbmAllocator) -> None:
        self.hw = hw
        self.shape = shape
        self.operands = self.place_operands(vram, hbm)
        self.blocks = -(-self.operands.head_cols // hw.mlen)
        self.tiles = query_tiles(shape, hw.mlen)
        self._place_scratch(vram)
        self._place_key_tiles()
        self.p = Program(hw, f"attention: {shape}")

    def place_operands(self, vram: VramAllocator, hbm: HbmAllocator) -> AttentionOperands:
        """Q, K, V and O, every head padded to whole column blocks."""
        return AttentionOperands.place(self.hw, self.shape, vram, hbm)

    def _place_scratch(self, vram: VramAllocator) -> None:
        mlen, cols = self.hw.mlen, self.blocks * self.hw.mlen
        key_tiles = [key for tile in self.tiles for key in tile.key_tiles]
        rows = min(mlen, self.shape.seq)
        self.q_scaled = vram.tensor("Qs", mlen, cols)
        self.scores = vram.tensor("S", mlen, mlen)
        self.accumulator = vram.tensor("Oacc", mlen, cols)
        self.product = vram.tensor("PV", mlen, cols) if any(not key.first for key in key_tiles) else None
        masks = dict.fromkeys(mask for key in key_tiles if (mask := key.mask(mlen)) is not None)
        self.masks = {
            mask: vram.tensor(f"mask {number}", 1 if mask.uniform else rows, mlen)
            for number, mask in enumerate(masks)
        }
        self.hidden = vram.tensor("hidden", 1, mlen) if masks else None
        windows = any(mask.low is not None for mask in masks)
        self.ones = vram.tensor("ones", 1, mlen) if windows else None
        self.before_window = vram.tensor("before window", 1, mlen) if windows else None

    def _place_key_tiles(self) -> None:
        per_key_tile = 2 * self.blocks
        self.slots = self.hw.msram_tiles // per_key_tile
        if self.slots == 0:
            raise KernelError(
                f"a key tile needs MSRAM_TILES >= 2*ceil(HEAD_DIM/MLEN) = {per_key_tile} "
                f"(got {self.hw.msram_tiles})"
            )
        present = {key.index for tile in self.tiles for key in tile.key_tiles}
        self.resident = self.shape.group > 1 and len(present) <= self.slots
        self.loaded: dict[int, int] = {}
        self.slots_used: set[int] = set()

    # What the program touches

    def outputs(self) -> list[Region]:
        """The words of O that the program writes."""
        return self.operands.o.active_regions()

    def scratch(self) -> list[Region]:
        """Every other word that the program may write; complete once `build` has run."""
        tensors = [self.q_scaled, self.scores, self.accumulator, self.product, self.hidden]
        tensors += [self.ones, self.before_window, *self.masks.values()]
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
            ExitStack() as stack,
        ):
            self.sink = stack.enter_context(p.gp("sink of this head")) if shape.sinks else None
            self._set_up()
            with p.repeat(shape.batch, "batches"):
                heads, kv_heads = self._heads()
                if shape.batch > 1:
                    self._advance(heads=-heads, kv_heads=-kv_heads, batches=1)
        return p.finish()

    def _heads(self) -> tuple[int, int]:
        """All heads of a batch; returns how many heads of Q and of K the pointers have moved."""
        p, shape = self.p, self.shape
        heads_step, kv_step = int(shape.heads > 1), int(shape.kv_heads > 1)
        with p.repeat(shape.kv_heads, "heads of K and V"):
            if self.resident:
                self._load_all()
            with p.repeat(shape.group, "query heads of a group"):
                self._head()
                self._advance(heads=heads_step)
            self._advance(kv_heads=kv_step)
        return shape.heads * heads_step, shape.kv_heads * kv_step

    def _set_up(self) -> None:
        p = self.p
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
        if self.sink is not None:
            p.load_constant(self.sink, fp_sinks(self.hw))
        self._set_up_masks()
        if self.operands.head_cols != self.shape.head_dim:
            for tensor in filter(None, (self.accumulator, self.product)):
                self._clear_last_block(tensor)

    def _set_up_masks(self) -> None:
        if self.hidden is None:
            return
        p, mlen = self.p, self.hw.mlen
        p.comment("a row of -inf; shifted by n it hides columns n and up")
        with p.gp("the hidden row") as hidden, p.gp("columns") as columns, p.gp("mask row") as row:
            p.point(hidden, self.hidden)
            p.load_constant(columns, mlen)
            p.V_SHFT_V(hidden, self.q_head, columns, comment="zeros, whatever was shifted out")
            if self.ones is not None:
                p.point(row, self.ones)
                p.V_EXP_V(row, hidden, comment="ones")
            with p.fp("-inf") as minus_inf:
                p.S_LD_FP(minus_inf, GP0, FP_NEG_INF)
                p.V_ADD_VF(hidden, hidden, minus_inf)
            for mask, tensor in self.masks.items():
                p.point(row, tensor)
                self._hide_after(mask, tensor.rows, row, hidden, columns)
                if mask.low is not None:
                    self._hide_before(mask.low, tensor, row, columns)

    def _hide_after(self, mask: Mask, rows: int, row: Register, hidden: Register, columns: Register) -> None:
        """Mask rows with -inf in the columns past i+shift, or from `keys` on; `row` and `columns` move."""
        p, mlen = self.p, self.hw.mlen
        if mask.shift is None:
            p.load_constant(columns, mask.keys)
            with p.repeat(rows, f"hides columns {mask.keys} and up"):
                p.V_SHFT_V(row, hidden, columns)
                if not mask.uniform:
                    p.add(row, row, mlen)
            return
        blind = max(0, -mask.shift)
        if blind:
            p.load_constant(columns, 0)
            with p.repeat(blind, "rows that see no column"):
                p.V_SHFT_V(row, hidden, columns)
                p.add(row, row, mlen)
        p.load_constant(columns, blind + mask.shift + 1)
        with p.repeat(rows - blind, f"triangle: row i sees columns 0..i{mask.shift:+d}"):
            p.V_SHFT_V(row, hidden, columns)
            p.add(row, row, mlen)
            p.add(columns, columns, 1)

    def _hide_before(self, low: int, tensor: VramTensor, row: Register, columns: Register) -> None:
        """Add -inf to the columns before i+low of the mask's rows.

        Ones shifted by n are 0 in columns 0..n-1; 1 - 1/x of that is -inf there and 0 behind.
        """
        p, mlen = self.p, self.hw.mlen
        first = max(0, -low)
        with p.gp("ones") as ones, p.gp("before window") as before, p.fp("1.0") as one:
            p.point(row, tensor, first)
            p.point(ones, self.ones)
            p.point(before, self.before_window)
            p.S_EXP_FP(one, F0)
            p.load_constant(columns, first + low)
            with p.repeat(tensor.rows - first, f"window: row i sees columns i{low:+d} and up"):
                p.V_SHFT_V(before, ones, columns)
                p.V_RECI_V(before, before)
                p.V_SUB_VF(before, before, one, 0, 1)
                p.V_ADD_VV(row, row, before)
                p.add(row, row, mlen)
                p.add(columns, columns, 1)

    def _clear_last_block(self, tensor: VramTensor) -> None:
        p, mlen = self.p, self.hw.mlen
        with p.gp("row") as row, p.gp("shift distance") as distance:
            p.point(row, tensor, 0, (self.blocks - 1) * mlen)
            p.load_constant(distance, mlen)
            with p.repeat(tensor.rows, f"padding columns of {tensor.name} are 0"):
                p.V_SHFT_V(row, self.q_head, distance)
                p.add(row, row, mlen)

    def _advance(self, heads: int = 0, kv_heads: int = 0, batches: int = 0) -> None:
        """Move the head pointers by query heads, heads of K and V, and batches; the heads may be negative."""
        p, mlen, operands = self.p, self.hw.mlen, self.operands
        for pointer, tensor in ((self.q_head, operands.q), (self.o_head, operands.o)):
            block_step = heads * self.blocks * tensor.batch_view(0).block_stride
            p.add(pointer, pointer, block_step + batches * tensor.batch_stride)
        batch_bytes = operands.kv_rows_per_batch * operands.k.cols
        p.add(self.kv_head, self.kv_head, kv_heads * self.blocks * mlen + batches * batch_bytes)
        if self.sink is not None:
            p.add(self.sink, self.sink, heads)

    def _load_all(self) -> None:
        """Prefetch every key tile that some query tile needs; there is a slot for each."""
        self.loaded = {}
        self.p.comment("K and V of a group of query heads")
        for tile in self.tiles:
            for key in tile.key_tiles:
                self._load(key)

    def _head(self) -> None:
        if not self.resident:
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
        p = self.p
        mask = key.mask(self.hw.mlen)
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
                p.point(mask_row, self.masks[mask])
            if not key.first:
                p.point(output, self.accumulator)
            with p.repeat(tile.rows, "softmax, a row at a time"):
                self._softmax_row(key, mask, row, state, mask_row, output, maximum, rescale, total)

    def _softmax_row(
        self,
        key: KeyTile,
        mask: Mask | None,
        row: Register,
        state: Register,
        mask_row: Register,
        output: Register,
        maximum: Register,
        rescale: Register,
        total: Register,
    ) -> None:
        """Turn one row of S into P, rescale its row of Oacc, and step every row register on."""
        p, mlen = self.p, self.hw.mlen
        if mask:
            p.V_ADD_VV(row, row, mask_row)
        self._row_maximum(key, row, state, maximum, rescale)
        p.V_SUB_VF(row, row, maximum, 0, 0)
        p.V_EXP_V(row, row, comment="P")
        self._row_sum(key, row, state, rescale, total)
        if not key.first:
            self._rescale_row(output, rescale)
            p.add(output, output, mlen)
        if mask and not mask.uniform:
            p.add(mask_row, mask_row, mlen)
        p.add(row, row, mlen)
        p.add(state, state, 1)

    def _row_maximum(
        self, key: KeyTile, row: Register, state: Register, maximum: Register, rescale: Register
    ) -> None:
        p = self.p
        old = self.sink if key.first else state
        if old is not None:
            p.S_LD_FP(maximum, old, 0)
            p.S_LD_FP(rescale, old, 0)
        else:
            # A row may see no key of its first tile; -inf - -inf would be NaN.
            p.S_LD_FP(maximum, GP0, FP_NEG_INF if self.shape.window is None else FP_LOWEST)
        p.V_RED_MAX(maximum, row, comment="m")
        if old is not None:
            p.S_SUB_FP(rescale, rescale, maximum)
            p.S_EXP_FP(rescale, rescale, comment="exp(m_old - m)")
        if not key.last:
            p.S_ST_FP(maximum, state, 0)

    @property
    def _sum_offset(self) -> int:
        """FP_MEM words from a row's running maximum to its sum."""
        return 2 * self.hw.mlen

    def _row_sum(
        self, key: KeyTile, row: Register, state: Register, rescale: Register, total: Register
    ) -> None:
        p, sum_offset = self.p, self._sum_offset
        if key.first and self.sink is not None:
            p.S_ADD_FP(total, rescale, F0, comment="exp(sink - m)")
        elif key.first:
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
