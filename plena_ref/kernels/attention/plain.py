"""Attention in the plain form that compilers emit, a yardstick (docs/isa.md, "The plain attention kernel").

No step is fused: the running maximum, rescale factor and sum live in FP_MEM, S is scaled after its write-out,
the masks are tiles of -inf built through FP_MEM, and O is cleared by multiplying it with f0, so that the host
must stage it finite. Both forms of the M_MM column offset can be written.
"""

from __future__ import annotations

from collections.abc import Callable

from plena_ref.kernels.attention.base import AttentionBase
from plena_ref.kernels.attention.constants import FP_NEG_INF, FP_SCALE, FP_STATE
from plena_ref.kernels.attention.operands import AttentionOperands
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.attention.tiling import KeyTile, QueryTile, query_tiles
from plena_ref.kernels.layout.allocators import VramAllocator
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import F0, GP0, Program, Register
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: Key tiles of a query at most: the sum of one more may be less than half a step of the running sum.
LONGEST_SUM = 256


class PlainAttentionKernel(AttentionBase):
    """Attention in the plain form on given tensors; arguments as in `AttentionBase`.

    Raises:
        KernelError: the shape breaks a rule, or has a window or sinks.
        LayoutError: a memory is full.
    """

    form = "plain attention"
    #: O is cleared by multiplication, so it must hold finite numbers before the run.
    needs_finite_output = True
    #: The softmax is online from key tile to key tile.
    block_tiles = 1
    #: M_MM counts columns in elements (older compilers) instead of rows of the tile.
    element_offsets = False

    def __init__(self, hw: Hardware, shape: AttentionShape, operands: AttentionOperands, room: Room) -> None:
        self.hw = hw
        self.shape = shape
        self.operands = operands
        if shape.window is not None or shape.sinks:
            raise KernelError("the plain form has neither WINDOW nor SINKS")
        self.blocks = self.operands.head_cols // hw.mlen
        self.tiles = query_tiles(shape, hw.mlen)
        longest = max(len(tile.key_tiles) for tile in self.tiles)
        if longest > LONGEST_SUM:
            raise KernelError(
                "the plain form adds up a row's sum in bf16, which stands still beyond "
                f"{LONGEST_SUM} key tiles: a query must not see more than {LONGEST_SUM * hw.mlen} keys "
                f"(got KV_SEQ = {shape.kv_seq})"
            )
        if hw.msram_tiles < 2 * self.blocks:
            raise KernelError(
                f"a key tile needs MSRAM_TILES >= 2*ceil(HEAD_DIM/MLEN) = {2 * self.blocks} "
                f"(got {hw.msram_tiles})"
            )
        end = FP_STATE + 4 * hw.mlen
        if end > hw.fp_words:
            raise KernelError(f"mask rows need FP_WORDS >= {end} (got {hw.fp_words})")
        self.state = operands.take_state(room, 4 * hw.mlen)
        self.mask_row = self.state + 3 * hw.mlen
        self.column_step = hw.blen if self.element_offsets else hw.blen * hw.mlen
        self._place_scratch(room.vram)

    def _place_scratch(self, vram: VramAllocator) -> None:
        mlen = self.hw.mlen
        key_tiles = [key for tile in self.tiles for key in tile.key_tiles]
        self.scores = vram.tensor("S", mlen, mlen)
        self.product = vram.tensor("PV", mlen, self.operands.head_cols)
        shifts = {key.shift for key in key_tiles if key.shift is not None}
        partial = {key.keys for key in key_tiles if key.keys < mlen}
        self.triangles = {shift: vram.tensor(f"mask{shift}", mlen, mlen) for shift in sorted(shifts)}
        self.padding_masks = {keys: vram.tensor(f"pad{keys}", mlen, mlen) for keys in sorted(partial)}

    def scratch(self) -> list[Region]:
        """Every other word that the program may write."""
        tensors = [self.scores, self.product, *self.triangles.values(), *self.padding_masks.values()]
        regions = [Region("vram", t.base, t.base + t.elems, t.name) for t in tensors]
        regions.append(Region("msram", 0, 2 * self.blocks * self.hw.tile_elems, "K, V tiles"))
        regions.append(Region("fpmem", self.state, self.mask_row + self.hw.mlen, "softmax state, mask row"))
        return regions

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        self.p = p
        self._masks()
        for batch in range(self.shape.batch):
            for head in range(self.shape.heads):
                head_cols = self.operands.head_cols
                kv_col = head // self.shape.group * head_cols
                q, o = (
                    tensor.batch_view(batch).column_view(head * head_cols, head_cols)
                    for tensor in (self.operands.q, self.operands.o)
                )
                for tile in self.tiles:
                    first = tile.index * self.hw.mlen
                    p.comment(f"batch {batch}, head {head}, query tile {tile.index}")
                    self._query_tile(
                        tile, q.row_view(first, tile.rows), o.row_view(first, tile.rows), batch, kv_col
                    )

    # Masks

    def _masks(self) -> None:
        p, mlen = self.p, self.hw.mlen
        for keys, tensor in self.padding_masks.items():
            self._fill_mask_row(keys)
            with p.gp("mask row") as row, p.gp("mask words") as words:
                p.point(row, tensor)
                p.load_constant(words, self.mask_row)
                with p.repeat(mlen, f"hides columns {keys} and up"):
                    p.S_MAP_V_FP(row, words, 0)
                    p.add(row, row, mlen)
        for shift, tensor in self.triangles.items():
            seen = max(shift, 0)
            self._fill_mask_row(seen)
            with p.gp("mask row") as row, p.gp("mask words") as words, p.gp("visible column") as visible:
                p.point(row, tensor)
                p.load_constant(words, self.mask_row)
                if shift < 0:
                    with p.repeat(-shift, "rows that see no column"):
                        p.S_MAP_V_FP(row, words, 0)
                        p.add(row, row, mlen)
                p.load_constant(visible, self.mask_row + seen)
                with p.repeat(mlen - abs(shift), f"triangle: row i sees columns 0..i{shift:+d}"):
                    p.S_ST_FP(F0, visible, 0)
                    p.S_MAP_V_FP(row, words, 0)
                    p.add(visible, visible, 1)
                    p.add(row, row, mlen)
                if seen:
                    with p.repeat(seen, "rows that see every column"):
                        p.S_MAP_V_FP(row, words, 0)
                        p.add(row, row, mlen)

    def _fill_mask_row(self, visible: int) -> None:
        """FP_MEM words of a mask row: `visible` zeros, then -inf."""
        p, mlen = self.p, self.hw.mlen
        with p.gp("mask word") as word, p.fp("-inf") as minus_inf:
            p.S_LD_FP(minus_inf, GP0, self.operands.constants + FP_NEG_INF)
            p.load_constant(word, self.mask_row)
            for count, value in ((visible, F0), (mlen - visible, minus_inf)):
                if count:
                    with p.repeat(count):
                        p.S_ST_FP(value, word, 0)
                        p.add(word, word, 1)

    # One query tile

    def _query_tile(self, tile: QueryTile, q: VramTensor, o: VramTensor, batch: int, first_col: int) -> None:
        p, mlen = self.p, self.hw.mlen
        with p.gp("m") as m, p.gp("l") as total, p.fp("-inf") as minus_inf:
            p.load_constant(m, self.state)
            p.load_constant(total, self.state + 2 * mlen)
            with p.repeat(tile.rows, "m = -inf, l = 0"):
                p.S_LD_FP(minus_inf, GP0, self.operands.constants + FP_NEG_INF)
                p.S_ST_FP(minus_inf, m, 0)
                p.S_ST_FP(F0, total, 0)
                p.add(m, m, 1)
                p.add(total, total, 1)
        self._each_row(o, "O = O * 0", lambda row: p.V_MUL_VF(row, row, F0))
        for key in tile.key_tiles:
            p.comment(f"key tile {key.index}: {key.keys} keys")
            first_row = batch * self.operands.kv_rows_per_batch + key.index * mlen
            self._load(self.operands.k, first_row, first_col, 0, "K")
            self._scores(tile, q)
            self._mask(tile, key)
            self._softmax(tile)
            self._load(self.operands.v, first_row, first_col, self.blocks, "V")
            self._weigh_values(tile)
            self._accumulate(tile, o)
        with p.gp("l") as total, p.fp("1/l") as reciprocal:
            p.load_constant(total, self.state + 2 * mlen)
            self._each_row_scaled(o, "O = O / l", total, reciprocal, invert=True)

    def _each_row(self, tensor: VramTensor, comment: str, body: Callable[[Register], None]) -> None:
        p, mlen = self.p, self.hw.mlen
        with p.gp("row") as row:
            for block in range(tensor.column_blocks):
                p.point(row, tensor, 0, block * mlen)
                with p.repeat(tensor.rows, comment):
                    body(row)
                    p.add(row, row, mlen)

    def _each_row_scaled(
        self, tensor: VramTensor, comment: str, factors: Register, factor: Register, invert: bool
    ) -> None:
        """tensor row i *= FP_MEM[factors + i], or its reciprocal; `factors` is moved."""
        p, mlen = self.p, self.hw.mlen
        with p.gp("row") as row, p.gp("row, next block") as block_row:
            p.point(row, tensor)
            with p.repeat(tensor.rows, comment):
                p.S_LD_FP(factor, factors, 0)
                if invert:
                    p.S_RECI_FP(factor, factor)
                p.V_MUL_VF(row, row, factor)
                for block in range(1, tensor.column_blocks):
                    p.add(block_row, row if block == 1 else block_row, tensor.block_stride)
                    p.V_MUL_VF(block_row, block_row, factor)
                p.add(row, row, mlen)
                p.add(factors, factors, 1)

    def _load(self, tensor: HbmTensor, row: int, col: int, first_tile: int, name: str) -> None:
        p = self.p
        with p.gp("value") as value, p.gp("HBM offset") as offset, p.hbm_base(name) as base:
            p.set_hbm_base(base, tensor.base, name)
            if name == "K":
                p.load_constant(value, tensor.scale_offset)
                p.C_SET_SCALE_REG(value)
                p.load_constant(value, tensor.row_bytes)
                p.C_SET_STRIDE_REG(value)
            for block in range(self.blocks):
                p.load_constant(value, (first_tile + block) * self.hw.tile_elems)
                p.load_constant(offset, tensor.offset(row, col + block * self.hw.mlen))
                p.H_PREFETCH_M(value, offset, base, 1, 0, comment=f"{name}, column block {block}")

    def _row_groups(self, tile: QueryTile) -> int:
        return -(-tile.rows // self.hw.blen)

    def _scores(self, tile: QueryTile, q: VramTensor) -> None:
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        purposes = ("k0", "s0", "q0", "s", "q", "k")
        with p.gps(*purposes) as (first_key, first_score, first_query, score, query, key):
            p.load_constant(first_key, 0)
            p.point(first_score, self.scores)
            with p.repeat(mlen // blen, "S = Q K^T: BLEN key columns"):
                p.point(first_query, q)
                p.add(score, first_score, 0)
                with p.repeat(self._row_groups(tile), "BLEN query rows"):
                    p.add(query, first_query, 0)
                    p.add(key, first_key, 0)
                    with p.repeat(self.blocks, "column blocks"):
                        p.M_TMM(query, key)
                        p.add(query, query, q.block_stride)
                        p.add(key, key, self.hw.tile_elems)
                    p.M_MM_WO(score, GP0, 0)
                    p.add(first_query, first_query, blen * mlen)
                    p.add(score, score, blen * mlen)
                p.add(first_key, first_key, blen * mlen)
                p.add(first_score, first_score, blen)

    def _mask(self, tile: QueryTile, key: KeyTile) -> None:
        p, mlen = self.p, self.hw.mlen
        masks = [self.padding_masks[key.keys]] if key.keys < mlen else []
        masks += [self.triangles[key.shift]] if key.shift is not None else []
        for mask in masks:
            with p.gp("score row") as score, p.gp("mask row") as row:
                p.point(score, self.scores)
                p.point(row, mask)
                with p.repeat(tile.rows, f"S += {mask.name}"):
                    p.V_ADD_VV(score, score, row)
                    p.add(score, score, mlen)
                    p.add(row, row, mlen)

    def _softmax(self, tile: QueryTile) -> None:
        p, mlen = self.p, self.hw.mlen
        with (
            p.gps("row", "&m", "&r", "&l") as (g1, g2, g3, g4),
            p.fps("m", "r", "l", "row sum", "scale", "row maximum") as (f1, f2, f3, f4, f5, f6),
        ):
            p.point(g1, self.scores)
            for index, pointer in enumerate((g2, g3, g4)):
                p.load_constant(pointer, self.state + index * mlen)
            p.S_LD_FP(f5, GP0, self.operands.constants + FP_SCALE)
            with p.repeat(tile.rows, "softmax, a row an iteration"):
                p.S_LD_FP(f1, g2, 0)
                p.S_ADD_FP(f2, f1, F0)
                p.V_MUL_VF(g1, g1, f5)
                p.S_LD_FP(f6, GP0, self.operands.constants + FP_NEG_INF)
                p.V_RED_MAX(f6, g1)
                p.S_MAX_FP(f1, f6, f1)
                p.S_SUB_FP(f2, f2, f1)
                p.S_EXP_FP(f2, f2)
                p.S_ST_FP(f2, g3, 0)
                p.S_ST_FP(f1, g2, 0)
                p.V_SUB_VF(g1, g1, f1, 0, 0)
                p.V_EXP_V(g1, g1)
                p.S_LD_FP(f3, g4, 0)
                p.S_ADD_FP(f4, F0, F0)
                p.V_RED_SUM(f4, g1)
                p.S_MUL_FP(f3, f3, f2)
                p.S_ADD_FP(f3, f3, f4)
                p.S_ST_FP(f3, g4, 0)
                p.add(g1, g1, mlen)
                for pointer in (g2, g3, g4):
                    p.add(pointer, pointer, 1)

    def _weigh_values(self, tile: QueryTile) -> None:
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        with p.gps("v", "pv0", "p", "pv", "row stride") as (value, first_product, weight, product, stride):
            p.load_constant(stride, 1)
            for block in range(self.blocks):
                p.load_constant(value, (self.blocks + block) * self.hw.tile_elems)
                p.point(first_product, self.product, 0, block * mlen)
                with p.repeat(mlen // blen, f"PV = P V, column block {block}"):
                    p.point(weight, self.scores)
                    p.add(product, first_product, 0)
                    with p.repeat(self._row_groups(tile), "BLEN query rows"):
                        p.M_MM(value, weight)
                        p.M_MM_WO(product, stride, 0)
                        p.add(weight, weight, blen * mlen)
                        p.add(product, product, blen * mlen)
                    p.add(value, value, self.column_step)
                    p.add(first_product, first_product, blen)

    def _accumulate(self, tile: QueryTile, o: VramTensor) -> None:
        p, mlen = self.p, self.hw.mlen
        with p.gp("&r") as rescales, p.fp("r") as rescale:
            p.load_constant(rescales, self.state + mlen)
            self._each_row_scaled(o, "O = O * r", rescales, rescale, invert=False)
        with p.gp("row of O") as row, p.gp("row of PV") as product:
            for block in range(self.blocks):
                p.point(row, o, 0, block * mlen)
                p.point(product, self.product, 0, block * mlen)
                with p.repeat(tile.rows, f"O += PV, column block {block}"):
                    p.V_ADD_VV(row, row, product)
                    p.add(row, row, mlen)
                    p.add(product, product, mlen)


class PlainAttentionElementOffsets(PlainAttentionKernel):
    """The plain kernel with the element-granular M_MM column offset of older compilers."""

    element_offsets = True
