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
from dataclasses import dataclass
from itertools import pairwise

from plena_ref.kernels.attention.constants import FP_LOWEST, FP_NEG_INF, FP_ZERO
from plena_ref.kernels.attention.flash_steps import FlashSteps, Step
from plena_ref.kernels.attention.head_pointers import SINK_HEAD
from plena_ref.kernels.attention.softmax import ROWS_IN_FLIGHT, BlockSoftmax, RowPointers
from plena_ref.kernels.attention.tiling import KeyBlock
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.padding import clear_last_block
from plena_ref.kernels.program import Program, Register


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


class AttentionKernel(FlashSteps):
    """Multi-head attention on given tensors: the walk over query tiles and their blocks of key tiles."""

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        shape, self.p = self.shape, p
        constants = self.operands.constants
        self.softmax = BlockSoftmax(
            p,
            self.scores,
            self.masks.tensors,
            line_base=self.q_scaled.base,
            zero=constants + FP_ZERO,
            # A row may see no key of its first block; -inf - -inf would be NaN.
            lowest=constants + (FP_NEG_INF if shape.window is None else FP_LOWEST),
            sum_offset=self.sum_offset,
            rescale_output=self._rescale_output,
        )
        with p.hbm_base("K") as k, p.hbm_base("V") as v:
            self._set_up(k, v)
            self.kv.begin(k, v)
            with p.repeat(shape.batch, "batches"):
                heads, kv_heads = self._heads()
                if shape.batch > 1:
                    self.pointers.advance(p, heads=-heads, kv_heads=-kv_heads, batches=1)

    def _set_up(self, k_base: Register, v_base: Register) -> None:
        p = self.p
        k, v = self.operands.k, self.operands.v
        p.comment("HBM tensors: K and V have one shape, so one SCALE and one STRIDE serve both")
        p.set_hbm_base(k_base, k.base, "K")
        p.set_hbm_base(v_base, v.base, "V")
        with p.gp("a control register") as value:
            p.load_constant(value, k.scale_offset)
            p.C_SET_SCALE_REG(value)
            p.load_constant(value, k.row_bytes)
            p.C_SET_STRIDE_REG(value)
        self.pointers.set_up(p, self.q_scaled.base)
        self.masks.emit(p, self.operands.constants + FP_NEG_INF)
        if self.operands.has_idle_groups(self.hw):
            for tensor in filter(None, (self.accumulator, self._product)):
                clear_last_block(p, tensor)

    def _heads(self) -> tuple[int, int]:
        """All heads of a batch; returns how many heads of Q and of K the pointers have moved."""
        p, shape = self.p, self.shape
        heads_step, kv_step = int(shape.heads > 1), int(shape.kv_heads > 1)
        with p.repeat(shape.kv_heads, "heads of K and V"):
            if self.resident:
                self._load_all()
            with p.repeat(shape.group, "query heads of a group"):
                self._head()
                self.pointers.advance(p, heads=heads_step)
            self.pointers.advance(p, kv_heads=kv_step)
        return shape.heads * heads_step, shape.kv_heads * kv_step

    def _load_all(self) -> None:
        """Prefetch every key tile that some query tile needs; there is a slot for each."""
        self.kv.forget()
        self.p.comment("K and V of a group of query heads")
        for tile in self.tiles:
            for key in tile.key_tiles:
                self.kv.load_keys(self.p, (key,))
                self.kv.load_values(self.p, (key,))

    def _head(self) -> None:
        if not self.resident:
            self.kv.forget()
        steps = self._steps()
        self.kv.load_keys(self.p, steps[0].block.tiles)
        self._begin(steps[0])
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            block, rows = step.block, f"query tile {step.tile.index}: {step.tile.rows} rows"
            self.p.comment(f"{rows}; key tiles {block.tiles[0].index} to {block.tiles[-1].index}")
            self._load_ahead(step, following)
            self._step(step, following)
            if block.last:
                self._normalise(step)

    def _steps(self) -> list[Step]:
        return [
            Step(tile, block, tuple(self.kv.slot(key) for key in block.tiles))
            for tile in self.tiles
            for block in tile.key_blocks(self.block_tiles)
        ]

    def _load_ahead(self, step: Step, following: Step | None) -> None:
        """Prefetch V of this step, K of the next and, if that leaves alone the V of this one, its V."""
        self.kv.load_values(self.p, step.block.tiles)
        if following is None:
            return
        self.kv.load_keys(self.p, following.block.tiles)
        needed = dict(zip(step.slots, step.block.tiles, strict=True))
        self.kv.load_values(
            self.p,
            tuple(
                key for key in following.block.tiles if needed.get(self.kv.slot(key), key).index == key.index
            ),
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
        with p.gps("row group of Qs", "row of Qs", "softmax state") as (line, row, state):
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
                    if groups.feeds and following is not None:
                        self._prepare(step, following, line)
                    p.add(line, line, blen * mlen)
            self._weigh_values(step, line)
            if following is not None and fed == self._group_count(step):
                self._prepare(step, following, line)

    def _prepare(self, step: Step, following: Step, line: Register) -> None:
        """The scores of the step after `step` for the row group at `line`, and its Qs if that is new."""
        if following.tile is not step.tile:
            self._scale_queries(following.tile, line)
        self._scores(following, line)

    def _later_groups(self, step: Step, fed: int) -> Iterator[RowGroups]:
        """The row groups of a step from the second on; the first `fed` groups feed the following step."""
        blen, rows = self.hw.blen, step.tile.rows
        whole, count = rows // blen, self._group_count(step)
        bounds = sorted({1, min(fed + 1, count), max(whole, 1), count})
        for start, stop in pairwise(bounds):
            yield RowGroups(stop - start, blen if stop <= whole else rows % blen, stop <= fed + 1)

    def _softmax(self, block: KeyBlock, rows: int, at: RowPointers) -> None:
        if self.shape.sinks and block.first:
            with self.pointers.load(self.p, SINK_HEAD, "sink of the head") as sink:
                self.softmax.write(block, rows, at, sink)
        else:
            self.softmax.write(block, rows, at, None)
