"""The steps of flash attention for a group of BLEN query rows: products, scaling, and the output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from plena_ref.kernels.attention.constants import FP_LOWEST, FP_NEG_INF, FP_ZERO
from plena_ref.kernels.attention.flash_memory import FlashMemory
from plena_ref.kernels.attention.head_pointers import O_HEAD
from plena_ref.kernels.attention.products import multiply_key_blocks
from plena_ref.kernels.attention.runs import RowState, add_rows
from plena_ref.kernels.attention.softmax import ROW_LATENCY, BlockSoftmax, RescaledRow
from plena_ref.kernels.attention.tiling import KeyBlock, QueryTile
from plena_ref.kernels.attention.weave import Addresses
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import GP0, IMM18_LIMIT, Program, Register

#: Rows of Q or of O that are written side by side.
ROWS_IN_FLIGHT = 4

#: Writes an instruction that is woven in between others.
Work = Callable[[], None]


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


class FlashSteps(FlashMemory):
    """Each writes one step; which rows and keys it is about is the walk's business (flash.py)."""

    p: Program
    softmax: BlockSoftmax
    #: Registers of the head at hand: rows of Qs, their softmax state, rows of Q for the next query tile and
    #: of O, the end of the keys that a row group sees of a diagonal tile, and the softmax scale.
    line: Register
    state_row: Register
    source: Register
    target: Register
    end: Register
    scale: Register

    def _group_count(self, step: Step) -> int:
        return -(-step.tile.rows // self.hw.blen)

    def _last_group(self, step: Step) -> int:
        """The first row of the last row group of a step."""
        return (self._group_count(step) - 1) * self.hw.blen

    def _split(self, at: Addresses, base: Register, offset: int) -> tuple[Register, int]:
        """A register and an immediate that make `base` + `offset`."""
        high = offset - offset % IMM18_LIMIT if offset >= IMM18_LIMIT else 0
        return at(base, high), offset - high

    def _line_offset(self, tensor: VramTensor, block: int = 0) -> int:
        """Elements from a row of Qs to that of a tensor of the query tile, in a column block."""
        return tensor.base + block * tensor.block_stride - self.q_scaled.base

    def _score_work(self, step: Step, group: int | None, offset: int, at: Addresses) -> list[Work]:
        """S = Qs K^T for a row group, `offset` elements from that at `line`.

        Args:
            step: whose scores.
            group: number of the row group; None: any, the registers of a loop know it.
            offset, at: where.
        """
        work: list[Work] = []
        for tile, key in enumerate(step.block.tiles):
            mask = key.mask(self.hw.mlen)
            staged = None if mask is None else self.masks.staged.get(mask)
            if mask is None or staged is None:
                target = self._line_offset(self.scores, tile)
                work += self._block_work(step.slots[tile], target, self.hw.mlen // self.hw.blen, offset, at)
            elif group is None and not mask.uniform:
                work.append(partial(self._triangle, step.slots[tile], staged))
            else:
                blocks = self.masks.visible_blocks(mask, group or 0)
                work += self._block_work(step.slots[tile], self._line_offset(staged), blocks, offset, at)
        return work

    def _block_work(self, slot: int, target: int, blocks: int, offset: int, at: Addresses) -> list[Work]:
        """Scores of a row group and `blocks` times BLEN keys of a tile."""
        p, blen = self.p, self.hw.blen

        def multiply(keys: int, block: int) -> None:
            queries = at(self.line, offset + block * self.q_scaled.block_stride)
            p.M_TMM(queries, at(GP0, keys + block * self.hw.tile_elems))

        def write_out(place: int) -> None:
            register, immediate = self._split(at, self.line, place)
            p.M_MM_WO(register, GP0, immediate)

        work: list[Work] = []
        for number in range(blocks):
            keys = self.kv.keys_at(slot) + number * blen * self.hw.mlen
            work += [partial(multiply, keys, block) for block in range(self.blocks)]
            work.append(partial(write_out, offset + target + number * blen))
        return work

    def _triangle(self, slot: int, staged: VramTensor) -> None:
        """Scores of the row group at `line` and the keys of a tile up to those at `self.end`."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        walk = (self.blocks, self.q_scaled.block_stride, self.hw.tile_elems)
        with p.gps("BLEN keys", "block of S") as (keys, target):
            p.load_constant(keys, self.kv.keys_at(slot), "K tile")
            p.add(target, self.line, self._line_offset(staged))
            with p.loop(mlen // blen, "S = Qs K^T of the diagonal tile: BLEN keys that the rows see") as left:
                multiply_key_blocks(p, p.M_TMM, self.line, keys, *walk)
                p.M_MM_WO(target, GP0, 0)
                p.add(keys, keys, blen * mlen)
                p.add(target, target, blen)
                p.S_SUB_INT(left, self.end, keys)

    def _value_work(self, step: Step, offset: int, last: bool, at: Addresses) -> list[Work]:
        """P V of a row group, `offset` elements from that at `line`: to O, to Oacc or to PV.

        Args:
            step: whose.
            offset, at: where.
            last: it is the last row group of its query tile.
        """
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        direct = self._writes_output(step, last)
        tensor = self.accumulator if step.block.begins_run else self.product

        def multiply(values: int, tile: int) -> None:
            weights = at(self.line, offset + self._line_offset(self.scores, tile))
            p.M_MM(at(GP0, values), weights)

        def write_out(block: int, group: int) -> None:
            if direct:
                place = self.operands.o.batch_view(0).block_stride * block + group * blen
                register, immediate = self._split(at, self.target, place)
            else:
                place = offset + self._line_offset(tensor, block) + group * blen
                register, immediate = self._split(at, self.line, place)
            p.M_MM_WO(register, GP0, immediate)

        work: list[Work] = []
        for block in range(self.blocks):
            for group in range(self.shape.column_groups(self.hw, block)):
                for tile, slot in enumerate(step.slots):
                    values = self.kv.values_at(slot, block) + group * blen * mlen
                    work.append(partial(multiply, values, tile))
                work.append(partial(write_out, block, group))
        return work

    def _query_work(self, offset: int, at: Addresses, source_offset: int = 0) -> list[Work]:
        """Qs = scale*Q for a row group, `offset` elements from that at `line`.

        Its rows of Q lie `source_offset` elements from those at `source`.
        """
        p, mlen = self.p, self.hw.mlen

        def scale(block: int, row: int) -> None:
            place = source_offset + block * self.operands.q.batch_view(0).block_stride + row * mlen
            source = at(self.source, place)
            target = at(self.line, offset + block * self.q_scaled.block_stride + row * mlen)
            p.V_MUL_VF(target, source, self.scale)

        return [partial(scale, block, row) for block in range(self.blocks) for row in range(self.hw.blen)]

    def _writes_output(self, step: Step, last: bool) -> bool:
        """P V of a row group is what O is, and its rows are real ones."""
        whole = not last or step.tile.rows % self.hw.blen == 0
        return self.softmax.weights_are_scaled(step.block) and (whole or self._reaches_back(step))

    @property
    def _longest_first(self) -> bool:
        """The query tiles of a head go from the longest to the shortest."""
        longest = max(len(tile.key_tiles) for tile in self.tiles)
        return self.stages_scores and self.shape.causal and longest <= self.block_tiles

    def _reaches_back(self, step: Step) -> bool:
        """P V of the last row group takes rows of the one before again, so that all its rows are real ones.

        Their P is still there where no step follows, whose scores would have taken its place.
        """
        final = len(self.tiles) == 1 or not self._longest_first
        partial_group = step.tile.rows > self.hw.blen and step.tile.rows % self.hw.blen > 0
        return final and partial_group and self.softmax.weights_are_scaled(step.block)

    def _taken_again(self, step: Step) -> int:
        """Rows of the row group before that the last one takes again."""
        return -step.tile.rows % self.hw.blen if self._reaches_back(step) else 0

    def _rescale_output(self, rescaled: RescaledRow) -> None:
        """Oacc = (Oacc + PV of the block before)*rescale for a row; a run's first block needs no PV."""
        p, row, after = self.p, rescaled.row, rescaled.after

        def place(tensor: VramTensor, block: int) -> Register:
            return rescaled.addresses(rescaled.line, rescaled.offset + self._line_offset(tensor, block))

        def add(block: int) -> None:
            output = place(self.accumulator, block)
            p.V_ADD_VV(output, output, place(self.product, block))

        def scale(block: int) -> None:
            output = place(self.accumulator, block)
            p.V_MUL_VF(output, output, row.held["x"])

        for block in range(self.blocks):
            added = None
            if rescaled.block.place > 1:
                added = row.add(partial(add, block), ROW_LATENCY, vector=True)
            row.add(partial(scale, block), ROW_LATENCY, after, added, vector=True)

    def _flows(self, step: Step) -> bool:
        """What a step leaves for its last row group may go beside the next step's first softmax."""
        block = step.block
        if self._group_count(step) == 1:
            return False
        if self.softmax.weights_are_scaled(block):
            return self._writes_output(step, last=True)
        return block.completes or not block.ends_run

    def _finish(self, step: Step, following: Step | None) -> None:
        """The output of a query tile, where the array has not written it.

        Where the work for its last row group is still to come, that group waits (`_finish_last_group`).
        """
        if not self.softmax.weights_are_scaled(step.block):
            waits = following is not None and self._flows(step)
            self._normalise(step, 0, self._last_group(step) if waits else step.tile.rows)
        elif not self._writes_output(step, last=True):
            self._copy_output(step)

    def _finish_last_group(self, step: Step) -> None:
        """The output of the row group whose P V lay beside the softmax of another step."""
        if step.block.completes and not self.softmax.weights_are_scaled(step.block):
            self._normalise(step, self._last_group(step), step.tile.rows)

    def _copy_output(self, step: Step) -> None:
        """O = Oacc for the rows of a query tile that fill no row group."""
        p, mlen, tile = self.p, self.hw.mlen, step.tile
        first = tile.rows - tile.rows % self.hw.blen
        view = self.operands.o.batch_view(0)
        for block in range(self.blocks):
            with p.gp("row of Oacc") as row, self.pointers.load(p, O_HEAD, "row of O") as target:
                p.point(row, self.accumulator, first, block * mlen)
                p.add(target, target, (tile.index * mlen + first) * mlen + block * view.block_stride)
                with p.repeat(tile.rows - first, "O = Oacc"):
                    p.V_SHFT_V(target, row, GP0)
                    p.add(row, row, mlen)
                    p.add(target, target, mlen)

    @property
    def row_state(self) -> RowState:
        """Where the maximum and sum of a row's last run lie."""
        constants = self.operands.constants
        # A row may see no key of its first block; -inf - -inf would be NaN.
        lowest = constants + (FP_NEG_INF if self.shape.window is None else FP_LOWEST)
        return RowState(self.state, self.sum_offset, lowest, constants + FP_ZERO, masked=0)

    def _join_run(self, step: Step) -> None:
        """The run that ends with a step joins those before it; the last leaves 1/l."""
        p, block, rows = self.p, step.block, step.tile.rows
        first = block.run == 0
        if not block.begins_run:
            add_rows(p, self.accumulator, self.product, rows, first=False)
        if first:
            self.totals.begin(p, rows)
        with p.gp("softmax state") as state:
            p.load_constant(state, self.state)
            self.totals.join(p, rows, state, self.row_state, first, block.last)
        self.totals.add(p, self.accumulator, rows, first)

    def _normalise(self, step: Step, first: int, end: int) -> None:
        """O = (Oacc + PV)/l for rows first..end-1 of a query tile."""
        for head_block in range(self.blocks):
            self._normalise_block(step, head_block, first, end)

    def _normalise_block(self, step: Step, head_block: int, first: int, end: int) -> None:
        p, mlen = self.p, self.hw.mlen
        view = self.operands.o.batch_view(0)
        full, rest = divmod(end - first, ROWS_IN_FLIGHT)
        with (
            p.gp("row of Oacc") as output,
            p.gp("row of PV") as product,
            self.pointers.load(self.p, O_HEAD, "row of O") as target,
            p.gp("softmax state") as state,
        ):
            joined = step.block.runs > 1
            add_product = not (joined or step.block.begins_run)
            p.point(output, self.totals.output if joined else self.accumulator, first, head_block * mlen)
            if add_product:
                p.point(product, self.product, first, head_block * mlen)
            place = (step.tile.index * mlen + first) * mlen + head_block * view.block_stride
            p.add(target, target, place)
            p.load_constant(state, self.state + self.sum_offset + first)
            for passes, count in ((full, ROWS_IN_FLIGHT), (1, rest)):
                if not passes * count:
                    continue
                with p.repeat(passes, f"O = Oacc / l, column block {head_block}, {count} rows at a time"):
                    for row in range(count):
                        with p.fp("1/l") as reciprocal:
                            p.S_LD_FP(reciprocal, state, row)
                            if add_product:
                                p.V_ADD_VV(output, output, product)
                                p.add(product, product, mlen)
                            p.V_MUL_VF(target, output, reciprocal)
                            p.add(output, output, mlen)
                            p.add(target, target, mlen)
                    p.add(state, state, count)
