"""Multi-head flash attention: softmax over blocks of keys, with an online softmax from block to block.

A query tile (MLEN rows) meets a block of key tiles at a time: S = (scale*Q) K^T, mask, m = max(m, row
maximum), P = exp(S - m), O = O*exp(m_old - m) + P V; at the last block O/l goes to the output. A block holds
as many key tiles as memory allows, so most problems have one block a query tile. The work is pipelined BLEN
rows at a time: while the vector unit does the softmax of some rows, the array multiplies the rows before them
with V and makes their scores of the next step. K and V stream from HBM ahead of it; or, when several query
heads share them and they fit, once for all these heads.
How the program is laid out and why each step looks as it does: docs/kernels.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from plena_ref.kernels.layout.allocators import VramAllocator
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.operands import (
    FP_LOWEST,
    FP_NEG_INF,
    FP_SCALE,
    FP_ZERO,
    AttentionOperands,
    AttentionShape,
    KernelError,
)
from plena_ref.kernels.program import F0, GP0, Program, Register
from plena_ref.kernels.softmax import ROWS_IN_FLIGHT, BlockSoftmax, RowPointers
from plena_ref.kernels.tiling import KeyBlock, KeyTile, Mask, QueryTile, query_tiles
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: Key tiles of a block at most: each is written out in the softmax of a row.
BLOCK_TILES = 8
#: INT_MEM words of the head's addresses of Q (less that of the scratch tensor Qs) and O, its HBM offset in K
#: and V, and the FP_MEM word of its sink.
Q_HEAD, O_HEAD, KV_HEAD, SINK_HEAD = range(4)
INT_POINTERS = 4


@dataclass(frozen=True)
class Step:
    """A query tile and one block of its keys.

    Attributes:
        tile: the query tile.
        block: the key tiles.
        slots: the MSRAM slot of each key tile.
    """

    tile: QueryTile
    block: KeyBlock
    slots: tuple[int, ...]


@dataclass(frozen=True)
class RowGroups:
    """Neighbouring groups of BLEN query rows that are treated alike.

    Attributes:
        count: how many groups.
        rows: rows of each: BLEN, or what is left in the last group of a query tile.
        feeds: the next step has the rows of the group before each of them too.
    """

    count: int
    rows: int
    feeds: bool


class AttentionKernel:
    """Multi-head attention on given tensors.

    Args:
        hw: the machine.
        shape: the problem.
        operands: its tensors, from `place`.
        room: where to take scratch from.

    Raises:
        KernelError: the shape breaks a rule.
        LayoutError: a memory is full.
    """

    #: The first product goes straight to the accumulator, so O may hold anything before the run.
    needs_finite_output = False
    #: INT_MEM words that it uses.
    int_pointers = INT_POINTERS

    def __init__(self, hw: Hardware, shape: AttentionShape, operands: AttentionOperands, room: Room) -> None:
        self.hw = hw
        self.shape = shape
        self.operands = operands
        if hw.int_words < self.int_pointers:
            raise KernelError(f"the head pointers need INT_WORDS >= {self.int_pointers} (got {hw.int_words})")
        self.blocks = -(-self.operands.head_cols // hw.mlen)
        self.tiles = query_tiles(shape, hw.mlen)
        self._place_key_tiles()
        self.pointers = room.int_mem.take("the head pointers", self.int_pointers)
        self.state = operands.take_state(room, self.state_words)
        self._place_scratch(room.vram)

    @staticmethod
    def place(hw: Hardware, shape: AttentionShape, room: Room) -> AttentionOperands:
        """Q, K, V and O, every head padded to whole column blocks."""
        return AttentionOperands.place(hw, shape, room)

    @property
    def title(self) -> str:
        """What it does."""
        return f"attention: {self.shape}"

    @property
    def state_words(self) -> int:
        """FP_MEM words of the softmax state."""
        return 3 * self.hw.mlen

    def _place_scratch(self, vram: VramAllocator) -> None:
        mlen, cols = self.hw.mlen, self.blocks * self.hw.mlen
        key_tiles = [key for tile in self.tiles for key in tile.key_tiles]
        rows = min(mlen, self.shape.seq)
        self.q_scaled = vram.tensor("Qs", mlen, cols)
        self.accumulator = vram.tensor("Oacc", mlen, cols)
        masks = dict.fromkeys(mask for key in key_tiles if (mask := key.mask(mlen)) is not None)
        self.masks = {
            mask: vram.tensor(f"mask {number}", 1 if mask.uniform else rows, mlen)
            for number, mask in enumerate(masks)
        }
        self.hidden = vram.tensor("hidden", 1, mlen) if masks else None
        windows = any(mask.low is not None for mask in masks)
        self.ones = vram.tensor("ones", 1, mlen) if windows else None
        self.before_window = vram.tensor("before window", 1, mlen) if windows else None
        self._place_scores(vram)

    def _place_scores(self, vram: VramAllocator) -> None:
        """S, as many key tiles wide as fit, and PV if that is not all of them."""
        mlen, rows = self.hw.mlen, self.score_rows
        longest = max(len(tile.key_tiles) for tile in self.tiles)

        def width() -> int:
            room = (self.hw.vram_elems - vram.next_free) // (rows * mlen)
            return max(1, min(longest, BLOCK_TILES, self.slots, room))

        self.product = None
        if self.needs_product or width() < longest:
            self.product = vram.tensor("PV", mlen, self.blocks * mlen)
        self.block_tiles = width()
        self.scores = vram.tensor("S", rows, self.block_tiles * mlen)

    @property
    def score_rows(self) -> int:
        """Rows of the tensor of scores."""
        return self.hw.mlen

    @property
    def sum_offset(self) -> int:
        """FP_MEM words from a row's running maximum to its sum."""
        return 2 * self.hw.mlen

    @property
    def needs_product(self) -> bool:
        """P V goes through scratch even when a query tile has one block."""
        return False

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
        self.loaded: dict[tuple[str, int], int] = {}
        self.slots_used: set[int] = set()

    # What the program touches

    def outputs(self) -> list[Region]:
        """The words of O that the program writes."""
        return self.operands.o.active_regions()

    def scratch(self) -> list[Region]:
        """Every other word that the program may write; complete once `emit` has run."""
        tensors = [self.q_scaled, self.scores, self.accumulator, self.product, self.hidden]
        tensors += [self.ones, self.before_window, *self.masks.values()]
        regions = [Region("vram", t.base, t.base + t.elems, t.name) for t in tensors if t is not None]
        slot_elems = 2 * self.blocks * self.hw.tile_elems
        regions += [
            Region("msram", slot * slot_elems, (slot + 1) * slot_elems, f"K, V slot {slot}")
            for slot in sorted(self.slots_used)
        ]
        regions.append(Region("fpmem", self.state, self.state + self.state_words, "softmax state"))
        regions.append(Region("intmem", self.pointers, self.pointers + self.int_pointers, "head pointers"))
        return regions

    # The program

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        shape, self.p = self.shape, p
        constants = self.operands.constants
        self.softmax = BlockSoftmax(
            p,
            self.scores,
            self.masks,
            line_base=self.q_scaled.base,
            zero=constants + FP_ZERO,
            # A row may see no key of its first block; -inf - -inf would be NaN.
            lowest=constants + (FP_NEG_INF if shape.window is None else FP_LOWEST),
            sum_offset=self.sum_offset,
            rescale_output=self._rescale_output,
        )
        with p.hbm_base("K") as self.k_base, p.hbm_base("V") as self.v_base:
            self._set_up()
            with p.repeat(shape.batch, "batches"):
                heads, kv_heads = self._heads()
                if shape.batch > 1:
                    self._advance(heads=-heads, kv_heads=-kv_heads, batches=1)

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
        q, o = (tensor.batch_view(0).base for tensor in (self.operands.q, self.operands.o))
        sinks = self.operands.sinks or 0
        with p.gp("head pointer") as pointer:
            for word, value in enumerate((q - self.q_scaled.base, o, 0, sinks)):
                p.load_constant(pointer, value % (1 << 32))
                p.S_ST_INT(pointer, GP0, self.pointers + word)
        self._set_up_masks()
        if self.operands.has_idle_groups(self.hw):
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
            p.V_SHFT_V(hidden, hidden, columns, comment="zeros, whatever was shifted out")
            if self.ones is not None:
                p.point(row, self.ones)
                p.V_EXP_V(row, hidden, comment="ones")
            with p.fp("-inf") as minus_inf:
                p.S_LD_FP(minus_inf, GP0, self.operands.constants + FP_NEG_INF)
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
                p.V_SHFT_V(row, row, distance)
                p.add(row, row, mlen)

    @contextmanager
    def pointer(self, word: int, purpose: str) -> Iterator[Register]:
        """One of the head pointers of INT_MEM in a register."""
        with self.p.gp(purpose) as register:
            self.p.S_LD_INT(register, GP0, self.pointers + word, comment=purpose)
            yield register

    def _advance(self, heads: int = 0, kv_heads: int = 0, batches: int = 0) -> None:
        """Move the head pointers by query heads, heads of K and V, and batches; the heads may be negative."""
        operands = self.operands
        batch_bytes = operands.kv_rows_per_batch * operands.k.cols
        steps = {
            word: heads * self.blocks * tensor.batch_view(0).block_stride + batches * tensor.batch_stride
            for word, tensor in ((Q_HEAD, operands.q), (O_HEAD, operands.o))
        }
        steps[KV_HEAD] = kv_heads * self.blocks * self.hw.mlen + batches * batch_bytes
        steps[SINK_HEAD] = heads if self.shape.sinks else 0
        for word, step in steps.items():
            if step:
                with self.pointer(word, "head pointer") as register:
                    self.p.add(register, register, step)
                    self.p.S_ST_INT(register, GP0, self.pointers + word)

    # K and V

    def _load_all(self) -> None:
        """Prefetch every key tile that some query tile needs; there is a slot for each."""
        self.loaded = {}
        self.p.comment("K and V of a group of query heads")
        for tile in self.tiles:
            for key in tile.key_tiles:
                self._load_keys((key,))
                self._load_values((key,))

    def _slot(self, key: KeyTile) -> int:
        return key.index % self.slots

    def _load_keys(self, keys: tuple[KeyTile, ...]) -> None:
        """Prefetch K of these key tiles where its slot does not hold it yet."""
        self._load(keys, self.operands.k, self.k_base, 0)

    def _load_values(self, keys: tuple[KeyTile, ...]) -> None:
        """The same for V."""
        self._load(keys, self.operands.v, self.v_base, self.blocks)

    def _load(self, keys: tuple[KeyTile, ...], tensor: HbmTensor, base: Register, first_tile: int) -> None:
        p, mlen = self.p, self.hw.mlen
        for key in keys:
            slot = self._slot(key)
            if self.loaded.get((tensor.name, slot)) == key.index:
                continue
            self.loaded[tensor.name, slot] = key.index
            self.slots_used.add(slot)
            for block in range(self.blocks):
                with p.gp("MSRAM tile") as tile, self.pointer(KV_HEAD, "HBM offset of the head") as offset:
                    p.load_constant(tile, self._tile_address(slot, first_tile + block))
                    p.add(offset, offset, tensor.offset(key.index * mlen, block * mlen))
                    what = f"{tensor.name} tile {key.index}, block {block}"
                    p.H_PREFETCH_M(tile, offset, base, 1, 0, comment=what)

    def _tile_address(self, slot: int, tile: int) -> int:
        """MSRAM address of a tile of a slot: the K blocks, then the V blocks."""
        return (slot * 2 * self.blocks + tile) * self.hw.tile_elems

    # A head

    def _steps(self) -> list[Step]:
        return [
            Step(tile, block, tuple(self._slot(key) for key in block.tiles))
            for tile in self.tiles
            for block in tile.key_blocks(self.block_tiles)
        ]

    def _head(self) -> None:
        if not self.resident:
            self.loaded = {}
        steps = self._steps()
        self._load_keys(steps[0].block.tiles)
        self._begin(steps[0])
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            block, rows = step.block, f"query tile {step.tile.index}: {step.tile.rows} rows"
            self.p.comment(f"{rows}; key tiles {block.tiles[0].index} to {block.tiles[-1].index}")
            self._load_ahead(step, following)
            self._step(step, following)
            if block.last:
                self._normalise(step)

    def _load_ahead(self, step: Step, following: Step | None) -> None:
        """Prefetch V of this step, K of the next and, if that leaves alone the V of this one, its V."""
        self._load_values(step.block.tiles)
        if following is None:
            return
        self._load_keys(following.block.tiles)
        needed = dict(zip(step.slots, step.block.tiles, strict=True))
        self._load_values(
            tuple(key for key in following.block.tiles if needed.get(self._slot(key), key).index == key.index)
        )

    def _begin(self, step: Step) -> None:
        """Qs and the scores of the head's first step."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        with p.gp("row group of Qs") as line:
            p.point(line, self.q_scaled)
            with p.repeat(self._group_count(step), "row groups: Qs = scale * Q, S = Qs K^T"):
                self._scale_queries(step.tile, line)
                self._scores(step, line)
                p.add(line, line, blen * mlen)

    def _step(self, step: Step, following: Step | None) -> None:
        """Softmax and P V of a step, and the scores of the following one.

        The array is a row group behind the softmax: it gets its work for one group in two parts, each in the
        middle or at the end of the next group's softmax, so that its queue neither runs dry nor overflows.
        """
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        fed = 0 if following is None else self._group_count(following)
        with (
            p.gp("row group of Qs") as line,
            p.gp("row of Qs") as row,
            p.gp("softmax state") as state,
        ):
            p.point(line, self.q_scaled)
            p.point(row, self.q_scaled)
            p.load_constant(state, self.state)
            at = RowPointers(row, self.scores.base - self.q_scaled.base, row, state)
            self._softmax(step.block, min(step.tile.rows, blen), at)
            for groups in self._later_groups(step, fed):
                early = min(groups.rows, round_up(groups.rows // 2, ROWS_IN_FLIGHT))
                with p.repeat(groups.count, f"row groups of {groups.rows}"):
                    self._softmax(step.block, early, at)
                    self._weigh_values(step, line)
                    self._softmax(step.block, groups.rows - early, at)
                    if groups.feeds:
                        self._prepare(step, following, line)
                    p.add(line, line, blen * mlen)
            self._weigh_values(step, line)
            if fed == self._group_count(step):
                self._prepare(step, following, line)

    def _prepare(self, step: Step, following: Step, line: Register) -> None:
        """The scores of the step behind `step` for the row group at `line`, and its Qs if that is new."""
        if following.tile is not step.tile:
            self._scale_queries(following.tile, line)
        self._scores(following, line)

    def _group_count(self, step: Step) -> int:
        return -(-step.tile.rows // self.hw.blen)

    def _later_groups(self, step: Step, fed: int) -> Iterator[RowGroups]:
        """The row groups of a step from the second on; the first `fed` groups feed the following step."""
        blen, rows = self.hw.blen, step.tile.rows
        whole, count = rows // blen, self._group_count(step)
        bounds = sorted({1, min(fed + 1, count), max(whole, 1), count})
        for start, stop in pairwise(bounds):
            yield RowGroups(stop - start, blen if stop <= whole else rows % blen, stop <= fed + 1)

    def _softmax(self, block: KeyBlock, rows: int, at: RowPointers) -> None:
        if self.shape.sinks and block.first:
            with self.pointer(SINK_HEAD, "sink of the head") as sink:
                self.softmax.write(block, rows, at, sink)
        else:
            self.softmax.write(block, rows, at, None)

    def _scale_queries(self, tile: QueryTile, line: Register) -> None:
        """Qs = scale*Q for the row group at `line` of Qs."""
        p, mlen = self.p, self.hw.mlen
        count = min(ROWS_IN_FLIGHT, self.hw.blen)
        with (
            self.pointer(Q_HEAD, "row of Q") as source,
            p.gp("row of Qs") as target,
            p.fp("softmax scale") as scale,
        ):
            p.S_LD_FP(scale, GP0, self.operands.constants + FP_SCALE)
            p.S_ADD_INT(source, source, line)
            p.add(source, source, tile.index * mlen * mlen)
            p.add(target, line, 0)
            for block in range(self.blocks):
                with p.repeat(self.hw.blen // count, f"Qs = scale * Q, column block {block}"):
                    for _ in range(count):
                        p.V_MUL_VF(target, source, scale)
                        p.add(source, source, mlen)
                        p.add(target, target, mlen)
                if block + 1 < self.blocks:
                    back = self.hw.blen * mlen
                    p.add(source, source, self.operands.q.batch_view(0).block_stride - back)
                    p.add(target, target, self.q_scaled.block_stride - back)

    def _scores(self, step: Step, line: Register) -> None:
        """S = Qs K^T for the row group at `line` of Qs."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        offset = self.scores.base - self.q_scaled.base
        with p.gp("BLEN keys") as keys, p.gp("block of S") as target:
            for tile, slot in enumerate(step.slots):
                p.load_constant(keys, self._tile_address(slot, 0), "K tile")
                p.add(target, line, offset + tile * self.scores.block_stride)
                with p.repeat(mlen // blen, f"S = Qs K^T, key tile {tile} of the block, BLEN keys at a time"):
                    self._score_block(line, keys)
                    p.M_MM_WO(target, GP0, 0)
                    p.add(keys, keys, blen * mlen)
                    p.add(target, target, blen)

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

    def _weigh_values(self, step: Step, line: Register) -> None:
        """Oacc or PV = P V for the row group at `line` of Qs."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        target = self.accumulator if step.block.first else self.product
        with p.gp("BLEN rows of P") as weights, p.gp("BLEN columns of V") as values, p.gp("product") as block:
            p.add(weights, line, self.scores.base - self.q_scaled.base)
            for head_block in range(self.blocks):
                tiles = [self._tile_address(slot, self.blocks + head_block) for slot in step.slots]
                p.load_constant(values, tiles[0], "V tile")
                p.add(block, line, target.address(0, head_block * mlen) - self.q_scaled.base)
                groups = self.shape.column_groups(self.hw, head_block)
                with p.repeat(groups, f"{target.name} = P V, BLEN columns at a time"):
                    p.M_MM(values, weights)
                    self._weigh_further(tiles, values, weights)
                    p.M_MM_WO(block, GP0, 0)
                    p.add(values, values, blen * mlen)
                    p.add(block, block, blen)

    def _weigh_further(self, tiles: list[int], values: Register, weights: Register) -> None:
        """Add the products with V tiles 1 and up of a block to that with tile 0 at `values`."""
        p = self.p
        if len(tiles) == 1:
            return
        with p.gp("BLEN columns of a V tile") as other_values, p.gp("their rows of P") as other_weights:
            for number, tile in enumerate(tiles[1:], 1):
                p.add(other_values, values, tile - tiles[0])
                p.add(other_weights, weights, number * self.scores.block_stride)
                p.M_MM(other_values, other_weights)

    def _rescale_output(self, block: KeyBlock, line: Register, row: int, rescale: Register) -> None:
        """Oacc = (Oacc + PV of the block before)*rescale for a row; the first block needs no PV."""
        p, mlen, base = self.p, self.hw.mlen, self.q_scaled.base
        for head_block in range(self.blocks):
            with p.gp("row of Oacc") as output:
                p.add(output, line, self.accumulator.address(row, head_block * mlen) - base)
                if block.index > 1:
                    with p.gp("row of PV") as product:
                        p.add(product, line, self.product.address(row, head_block * mlen) - base)
                        p.V_ADD_VV(output, output, product)
                p.V_MUL_VF(output, output, rescale)

    def _normalise(self, step: Step) -> None:
        """O = (Oacc + PV)/l for the rows of a query tile."""
        for head_block in range(self.blocks):
            self._normalise_block(step, head_block)

    def _normalise_block(self, step: Step, head_block: int) -> None:
        p, mlen = self.p, self.hw.mlen
        view = self.operands.o.batch_view(0)
        full, rest = divmod(step.tile.rows, ROWS_IN_FLIGHT)
        with (
            p.gp("row of Oacc") as output,
            p.gp("row of PV") as product,
            self.pointer(O_HEAD, "row of O") as target,
            p.gp("softmax state") as state,
        ):
            p.point(output, self.accumulator, 0, head_block * mlen)
            if not step.block.first:
                p.point(product, self.product, 0, head_block * mlen)
            p.add(target, target, step.tile.index * mlen * mlen + head_block * view.block_stride)
            p.load_constant(state, self.state + self.sum_offset)
            for passes, count in ((full, ROWS_IN_FLIGHT), (1, rest)):
                if not passes * count:
                    continue
                with p.repeat(passes, f"O = Oacc / l, column block {head_block}, {count} rows at a time"):
                    for row in range(count):
                        with p.fp("1/l") as reciprocal:
                            p.S_LD_FP(reciprocal, state, row)
                            if not step.block.first:
                                p.V_ADD_VV(output, output, product)
                                p.add(product, product, mlen)
                            p.V_MUL_VF(target, output, reciprocal)
                            p.add(output, output, mlen)
                            p.add(target, target, mlen)
                    p.add(state, state, count)
