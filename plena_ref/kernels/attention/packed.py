"""Grouped-query attention in the packed form: LANES query heads of HLEN elements share one column block.

M_BTMM multiplies all LANES heads of a block with one head of K at once, and M_BMM_WO writes their scores one
below the other. O keeps the heads side by side: what differs from head to head, the rescale factor and 1/l,
is applied to one lane of a row at a time through V_MASK. P V is BLEN columns wide: a head of HLEN >= BLEN is
written straight to its lane; a narrower one is written to the first columns of a scratch row, moved to its
lane with V_SHFT_V and added there under the mask. Otherwise it is the attention of
`plena_ref.kernels.attention.flash`; see docs/kernels.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from plena_ref.kernels.attention.constants import FP_SCALE, FP_STATE
from plena_ref.kernels.attention.flash import AttentionKernel
from plena_ref.kernels.attention.flash_steps import ROWS_IN_FLIGHT, Step
from plena_ref.kernels.attention.head_pointers import INT_POINTERS, O_HEAD, Q_HEAD
from plena_ref.kernels.attention.lane_softmax import LanePointers, LaneSoftmax
from plena_ref.kernels.attention.operands import AttentionOperands
from plena_ref.kernels.attention.runs import RowState, add_rows
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.attention.tiling import KeyBlock, QueryTile
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.program import GP0, Program, Register
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware

#: INT_MEM words after the head pointers: the K head in its column tile, and the bit of the lane in V_MASK.
COLUMN, LANE = INT_POINTERS, INT_POINTERS + 1


def kv_head_columns(hw: Hardware) -> int:
    """Columns of a head of K or V, padded to BLEN: M_MM takes BLEN columns at a time."""
    return max(hw.hlen, hw.blen)


def check_packed(hw: Hardware, shape: AttentionShape) -> None:
    """Refuse shapes that do not pack.

    Raises:
        KernelError: names the rule.
    """
    lanes = hw.lanes
    in_tile = hw.mlen // kv_head_columns(hw)
    rules = (
        (
            shape.head_dim == hw.hlen,
            "HEAD_DIM must be HLEN",
            f"HEAD_DIM = {shape.head_dim}, HLEN = {hw.hlen}",
        ),
        (
            shape.group % lanes == 0,
            "HEADS/KV_HEADS must be a multiple of LANES",
            f"HEADS = {shape.heads}, KV_HEADS = {shape.kv_heads}, LANES = {lanes}",
        ),
        (
            shape.kv_heads <= in_tile or shape.kv_heads % in_tile == 0,
            f"KV_HEADS must not exceed MLEN/max(HLEN, BLEN) = {in_tile}, or be a multiple of it",
            f"KV_HEADS = {shape.kv_heads}",
        ),
        (not shape.sinks, "the packed form has no SINKS", "SINKS = 1"),
        (
            FP_STATE + 2 * lanes * hw.mlen <= hw.fp_words,
            f"the softmax state needs FP_WORDS >= {FP_STATE + 2 * lanes * hw.mlen}",
            f"FP_WORDS = {hw.fp_words}",
        ),
    )
    for holds, rule, got in rules:
        if not holds:
            raise KernelError(f"packed attention: {rule} (got {got})")


class PackedAttentionKernel(AttentionKernel):
    """Packed grouped-query attention on given tensors.

    Args and errors are those of `AttentionKernel`. A head of the base class is here a block of LANES heads.
    """

    int_pointers = INT_POINTERS + 2
    scales_weights = False
    stages_scores = False

    @staticmethod
    def place(hw: Hardware, shape: AttentionShape, room: Room) -> AttentionOperands:
        """Heads side by side, those of Q and O without padding."""
        check_packed(hw, shape)
        return AttentionOperands.place(hw, shape, room, head_cols=hw.hlen, kv_head_cols=kv_head_columns(hw))

    @property
    def state_words(self) -> int:
        """FP_MEM words of the softmax state: of every lane."""
        return 2 * self.hw.lanes * self.hw.mlen

    @property
    def _narrow(self) -> bool:
        """A write-out is wider than a lane."""
        return self.hw.hlen < self.hw.blen

    @property
    def score_rows(self) -> int:
        """Rows of the tensor of scores: those of every lane."""
        return self.hw.lanes * self.hw.mlen

    @property
    def sum_offset(self) -> int:
        """FP_MEM words from a row's running maximum to its sum."""
        return self.hw.lanes * self.hw.mlen

    @property
    def needs_product(self) -> bool:
        """P V goes through scratch even when a query tile has one block."""
        return self._narrow

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        self.lane_softmax = LaneSoftmax(
            p,
            self.scores,
            self.masks.tensors,
            line_base=self.q_scaled.base,
            zero=self.row_state.zero,
            lowest=self.row_state.lowest,
            sum_offset=self.sum_offset,
            rescale_output=self._rescale_lane,
        )
        super().emit(p)

    def _heads(self) -> tuple[int, int]:
        """All heads of a batch: column tiles of K and V, the heads in one, their blocks of query heads.

        Returns:
            How many blocks of LANES query heads and how many column tiles of K the pointers have moved.
        """
        p, shape = self.p, self.shape
        kv_head_cols = self.operands.kv_head_cols
        in_tile = min(self.hw.mlen // kv_head_cols, shape.kv_heads)
        tiles = shape.kv_heads // in_tile
        blocks = shape.group // self.hw.lanes
        with p.repeat(tiles, "column tiles of K and V"):
            if self.resident:
                self._load_all()
            self.pointers.store(p, GP0, COLUMN)
            with p.repeat(in_tile, "heads of K and V in a tile"):
                with p.repeat(blocks, "blocks of LANES query heads"):
                    self._head()
                    self.pointers.advance(p, heads=1)
                with self.pointers.load(self.p, COLUMN, "K head in its tile") as column:
                    p.add(column, column, kv_head_cols)
                    self.pointers.store(p, column, COLUMN)
            self.pointers.advance(p, kv_heads=1)
        return tiles * in_tile * blocks, tiles

    def _head(self) -> None:
        if not self.resident:
            self.kv.forget()
        steps = self._steps()
        self.kv.load_keys(self.p, steps[0].block.tiles)
        self._scale_all_queries(steps[0].tile)
        self._all_scores(steps[0])
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            for fetch in self._fetches(step, following):
                fetch(self.p)
            self._softmax_and_products(step, following)
            if step.block.ends_run and step.block.runs > 1:
                self._join_run(step)
            if step.block.last:
                self._normalise_lanes(step)

    def _first_lane(self) -> None:
        """V_MASK selects lane 0 at the next `_next_lane`."""
        with self.p.gp("bit of the lane") as lane:
            self.p.load_constant(lane, 1)
            self.pointers.store(self.p, lane, LANE)

    def _next_lane(self) -> None:
        """V_MASK selects the next lane."""
        with self.pointers.load(self.p, LANE, "bit of the lane") as lane:
            self.p.C_SET_V_MASK_REG(lane)
            self.p.S_ADD_INT(lane, lane, lane)
            self.pointers.store(self.p, lane, LANE)

    def _scale_all_queries(self, tile: QueryTile) -> None:
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        with p.gp("row group of Qs") as line:
            p.point(line, self.q_scaled)
            with p.repeat(-(-tile.rows // blen), "row groups"):
                self._scale_group(tile, line)
                p.add(line, line, blen * mlen)

    def _scale_group(self, tile: QueryTile, line: Register) -> None:
        """Qs = scale*Q for the row group at `line` of Qs."""
        p, mlen = self.p, self.hw.mlen
        count = min(ROWS_IN_FLIGHT, self.hw.blen)
        with (
            self.pointers.load(self.p, Q_HEAD, "row of Q") as source,
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

    def _all_scores(self, step: Step) -> None:
        """S = Qs K^T of LANES heads, a key tile of the block at a time."""
        p = self.p
        with (
            p.gp("Qs") as queries,
            p.gp("K tile") as keys,
            p.gp("S") as target,
            self.pointers.load(self.p, COLUMN, "K head in its tile") as column,
        ):
            p.point(queries, self.q_scaled)
            for number, slot in enumerate(step.slots):
                p.load_constant(keys, self.kv.keys_at(slot))
                p.M_BTMM(column, keys, queries, comment=f"S = Qs K^T of LANES heads, {step.tile.rows} rows")
                p.point(target, self.scores, 0, number * self.hw.mlen)
                p.M_BMM_WO(target, 0)

    def _softmax_and_products(self, step: Step, following: Step | None) -> None:
        """Softmax and P V of a step, a head at a time, and the scores of the following one."""
        p, mlen, rows = self.p, self.hw.mlen, step.tile.rows
        with p.gp("row of S") as row, p.gp("softmax state") as state:
            p.point(row, self.scores)
            p.load_constant(state, self.state)
            self._first_lane()
            with p.repeat(self.hw.lanes, "softmax, a head at a time"):
                self._next_lane()
                with p.gp("row of Qs") as line:
                    p.point(line, self.q_scaled)
                    self.lane_softmax.write(step.block, rows, LanePointers(row, 0, line, state), None)
                p.add(row, row, (mlen - rows) * mlen)
                p.add(state, state, mlen - rows)
        self._weigh_values_of_all(step)
        if following is not None:
            if following.tile is not step.tile:
                self._scale_all_queries(following.tile)
            self._all_scores(following)

    def _rescale_lane(self, _block: KeyBlock, line: Register, row: int, rescale: Register) -> None:
        p = self.p
        with p.gp("row of Oacc") as output:
            p.add(output, line, self.accumulator.address(row) - self.q_scaled.base)
            p.V_MUL_VF(output, output, rescale, 1, comment="this head's lane")

    def _weigh_values_of_all(self, step: Step) -> None:
        """Oacc += P V of LANES heads."""
        if self._narrow:
            self._weigh_values_shifted(step)
        else:
            self._weigh_values_in_place(step)
            if not step.block.begins_run:
                add_rows(self.p, self.accumulator, self.product, step.tile.rows, first=False)

    def _value_tiles(self, step: Step) -> list[int]:
        return [self.kv.values_at(slot, 0) for slot in step.slots]

    def _weigh_values_shifted(self, step: Step) -> None:
        """Oacc += P V, a head at a time: columns 0..HLEN-1 of PV, moved to the head's lane."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        with p.gps("row of Oacc", "row of PV", "columns to move") as (output, product, distance):
            if step.block.begins_run:
                p.point(output, self.accumulator)
                p.load_constant(distance, mlen)
                with p.repeat(step.tile.rows, "Oacc = 0"):
                    p.V_SHFT_V(output, output, distance)
                    p.add(output, output, mlen)
            p.load_constant(distance, 0)
            with (
                self.pointers.load(self.p, COLUMN, "V of this head") as values,
                p.gp("rows of P") as weights,
            ):
                tiles = self._value_tiles(step)
                p.add(values, values, tiles[0], comment="V tile")
                p.point(weights, self.scores)
                self._first_lane()
                with p.repeat(self.hw.lanes, "P V, a head at a time"):
                    groups = self._group_count(step)
                    p.point(product, self.product)
                    self._weigh_rows(groups, tiles, values, weights, product)
                    p.add(weights, weights, (mlen - groups * blen) * mlen)
                    self._next_lane()
                    p.point(product, self.product)
                    p.point(output, self.accumulator)
                    with p.repeat(step.tile.rows, "to this head's lane"):
                        p.V_SHFT_V(product, product, distance)
                        p.V_ADD_VV(output, output, product, 1)
                        p.add(product, product, mlen)
                        p.add(output, output, mlen)
                    p.add(distance, distance, self.hw.hlen)

    def _weigh_rows(
        self, groups: int, tiles: Sequence[int], values: Register, weights: Register, product: Register
    ) -> None:
        """BLEN columns of P V, BLEN rows at a time; `weights` and `product` move on from group to group."""
        p, step = self.p, self.hw.blen * self.hw.mlen
        with p.repeat(groups, "BLEN rows at a time"):
            p.M_MM(values, weights)
            self._weigh_further(tiles, values, weights)
            p.M_MM_WO(product, GP0, 0)
            p.add(weights, weights, step)
            p.add(product, product, step)

    def _weigh_further(self, tiles: Sequence[int], values: Register, weights: Register) -> None:
        """Add the products with V tiles 1 and up of a block to that with tile 0 at `values`."""
        p = self.p
        if len(tiles) == 1:
            return
        with p.gp("BLEN columns of a V tile") as other_values, p.gp("their rows of P") as other_weights:
            for number, tile in enumerate(tiles[1:], 1):
                p.add(other_values, values, tile - tiles[0])
                p.add(other_weights, weights, number * self.scores.block_stride)
                p.M_MM(other_values, other_weights)

    def _weigh_values_in_place(self, step: Step) -> None:
        """Oacc or PV = P V, a head at a time, BLEN columns of its lane at a time."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        target = self.accumulator if step.block.begins_run else self.product
        tiles, groups = self._value_tiles(step), self._group_count(step)
        rows = ("BLEN rows of P", "block of the product")
        purposes = ("BLEN columns of V", "P of this head", "their column of the product", *rows)
        with p.gps(*purposes) as (values, head, column, weights, block):
            p.point(head, self.scores)
            p.point(column, target)
            p.S_LD_INT(values, GP0, self.pointers.first + COLUMN)
            p.add(values, values, tiles[0], comment="V tile")
            with p.repeat(self.hw.lanes, f"{target.name} = P V, a head at a time"):
                with p.repeat(self.hw.hlen // blen, "BLEN columns at a time"):
                    p.add(weights, head, 0)
                    p.add(block, column, 0)
                    self._weigh_rows(groups, tiles, values, weights, block)
                    p.add(values, values, blen)
                    p.add(column, column, blen)
                p.add(values, values, -self.hw.hlen)
                p.add(head, head, mlen * mlen)

    @property
    def row_state(self) -> RowState:
        """Where the maximum and sum of a row's last run lie, of the lane that V_MASK selects."""
        return replace(super().row_state, masked=1)

    def _join_run(self, step: Step) -> None:
        """The run that ends with a step joins those before it, a head at a time; the last leaves 1/l."""
        p, mlen, block, rows = self.p, self.hw.mlen, step.block, step.tile.rows
        first = block.run == 0
        if first:
            self.totals.begin(p, rows)
        with p.gp("softmax state") as state:
            p.load_constant(state, self.state)
            self._first_lane()
            with p.repeat(self.hw.lanes, "runs of blocks join, a head at a time"):
                self._next_lane()
                self.totals.join(p, rows, state, self.row_state, first, block.last)
                p.add(state, state, mlen - rows)
        self.totals.add(p, self.accumulator, rows, first)

    def _normalise_lanes(self, step: Step) -> None:
        """O = Oacc/l, a head at a time."""
        p, mlen, rows = self.p, self.hw.mlen, step.tile.rows
        tensor = self.totals.output if step.block.runs > 1 else self.accumulator
        with p.gp("row of Oacc") as output, p.gp("softmax state") as state, p.fp("1/l") as reciprocal:
            p.load_constant(state, self.state + self.sum_offset)
            self._first_lane()
            with p.repeat(self.hw.lanes, "O / l, a head at a time"):
                self._next_lane()
                p.point(output, tensor)
                with p.repeat(rows, "a row at a time"):
                    p.S_LD_FP(reciprocal, state, 0)
                    p.V_MUL_VF(output, output, reciprocal, 1, comment="this head's lane")
                    p.add(output, output, mlen)
                    p.add(state, state, 1)
                p.add(state, state, mlen - rows)
            with self.pointers.load(self.p, O_HEAD, "row of O") as target:
                p.point(output, tensor)
                p.add(target, target, step.tile.index * mlen * mlen)
                with p.repeat(rows, f"O = {tensor.name}"):
                    p.V_SHFT_V(target, output, GP0)
                    p.add(output, output, mlen)
                    p.add(target, target, mlen)
