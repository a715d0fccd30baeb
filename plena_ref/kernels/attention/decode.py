"""Attention of one query a sequence against a long KV cache: the decode step of a batch.

The query heads that share a head of K and V are the rows of a problem of their own. All scores of a row are
kept, so the softmax is done once over all key tiles, without running maxima or rescaling, and P V sums up
over key tiles in the accumulators. Products are made a row at a time (M_TMV, M_MV) or BLEN rows at a time
(M_TMM, M_MM), whichever is faster. See docs/kernels.md.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from plena_ref.kernels.attention.constants import FP_SCALE
from plena_ref.kernels.attention.decode_stacked import StackedDecode
from plena_ref.kernels.attention.decode_steps import ROWS_AT_ONCE
from plena_ref.kernels.attention.runs import add_rows
from plena_ref.kernels.padding import clear_last_block
from plena_ref.kernels.program import GP0, Program, Register


class DecodeAttentionKernel(StackedDecode):
    """One decode step on given tensors: the walk over heads of K and V and over chunks of their tiles."""

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        shape, self.p = self.shape, p
        batch_bytes = self.operands.kv_rows_per_batch * self.operands.k.row_bytes
        with (
            p.hbm_base("K") as self.k_base,
            p.hbm_base("V") as self.v_base,
            p.fp("softmax scale") as self.scale,
            p.gp("Q of this batch") as self.q_batch,
            p.gp("O of this batch") as self.o_batch,
            p.gp("HBM offset of this batch") as self.kv_batch,
        ):
            self._set_up_hbm()
            self._first_keys()
            self._set_up()
            if shape.batch > 1:
                with p.repeat(shape.batch - 1, "batches but the last"):
                    self._batch(next_batch=batch_bytes)
                    p.add(self.q_batch, self.q_batch, self.operands.q.batch_stride)
                    p.add(self.o_batch, self.o_batch, self.operands.o.batch_stride)
                    p.add(self.kv_batch, self.kv_batch, batch_bytes)
            self._batch(next_batch=None)

    def _set_up_hbm(self) -> None:
        p = self.p
        k, v = self.operands.k, self.operands.v
        p.comment("HBM tensors: K and V have one shape, so one SCALE and one STRIDE serve both")
        p.set_hbm_base(self.k_base, k.base, "K")
        p.set_hbm_base(self.v_base, v.base, "V")
        with p.gp("a control register") as value:
            p.load_constant(value, k.scale_offset)
            p.C_SET_SCALE_REG(value)
            p.load_constant(value, k.row_bytes)
            p.C_SET_STRIDE_REG(value)
        p.load_constant(self.kv_batch, 0)

    def _set_up(self) -> None:
        p = self.p
        p.S_LD_FP(self.scale, GP0, self.operands.constants + FP_SCALE, comment="softmax scale")
        p.point(self.q_batch, self.operands.q.batch_view(0))
        p.point(self.o_batch, self.operands.o.batch_view(0))
        for number, tensor in self.masks.items():
            self._mask_row(number, tensor)
        if self.operands.has_idle_groups(self.hw):
            for tensor in filter(None, (self.accumulator, self._product)):
                clear_last_block(p, tensor, self.q_batch)
        self._clear_around_weights()

    def _batch(self, next_batch: int | None) -> None:
        """All heads of a batch; `next_batch`: HBM distance to the batch whose keys are to be fetched."""
        heads, step = self.shape.kv_heads, self.operands.k.span(self.operands.head_cols)
        for head in range(heads):
            following = (head + 1) * step if head + 1 < heads else next_batch
            self.p.comment(f"head {head} of K and V")
            self._head(head, following)

    def _head(self, head: int, following: int | None) -> None:
        """One head of K and V; `following`: HBM offset, from this batch's, of the next one if any."""
        self._scale_queries(head)
        if self.stacking is not None:
            self._score_tiles(head)
            self._softmax(head, self._values_beside_softmax(head))
            self._value_tiles(head, following)
        else:
            for chunk in range(len(self.chunks)):
                self._score_chunk(head, chunk)
            self._softmax(head)
            for chunk in range(len(self.chunks)):
                self._value_chunk(head, chunk, following)
        self._normalise(head)

    def _first_keys(self) -> None:
        p = self.p
        with p.gp("MSRAM tile") as tile, p.gp("HBM offset") as offset:
            self._point_at_tiles(tile, offset, 0, 0, 0)
            with p.repeat(self.ahead if self.stacking else self.chunks[0], "first tiles of K"):
                self._prefetch(tile, offset, self.k_base)

    def _scale_queries(self, head: int) -> None:
        p, mlen = self.p, self.hw.mlen
        view = self.operands.q.batch_view(0)
        first = head * self.shape.group * self.blocks * view.block_stride
        with p.gp("Q row") as source, p.gp("Qs row") as target:
            for block in range(self.blocks):
                p.add(source, self.q_batch, first + block * view.block_stride)
                p.point(target, self.queries, 0, block * mlen)
                with p.repeat(self.shape.group, f"Qs = scale * Q, column block {block}"):
                    p.V_MUL_VF(target, source, self.scale)
                    p.add(source, source, self.blocks * view.block_stride)
                    p.add(target, target, mlen)

    def _score_chunk(self, head: int, chunk: int) -> None:
        """Scores of a chunk of key tiles; the first chunk of V is fetched meanwhile."""
        p, mlen = self.p, self.hw.mlen
        head_offset = head * self.operands.k.span(self.operands.head_cols)
        with ExitStack() as stack:
            tile, offset, keys, target = (
                stack.enter_context(p.gp(purpose))
                for purpose in ("MSRAM tile", "HBM offset", "K tile", "S of the tile")
            )
            if chunk > 0:
                self._point_at_tiles(tile, offset, chunk * self.slots, head_offset, 0)
                with p.repeat(self.chunks[chunk], "more tiles of K"):
                    self._prefetch(tile, offset, self.k_base)
            else:
                self._point_at_tiles(tile, offset, 0, head_offset, self.slots * self.blocks)
            p.load_constant(keys, 0)
            p.point(target, self.scores, self.score_row(chunk * self.slots))
            with p.repeat(self.chunks[chunk], "S = Qs K^T, a key tile at a time"):
                if chunk == 0:
                    self._prefetch(tile, offset, self.v_base)
                self._scores(keys, target)
                p.add(keys, keys, (self.blocks - 1) * self.hw.tile_elems)
                p.add(target, target, self.rows * mlen - mlen)

    def _softmax(self, head: int, beside: Callable[[], None] | None = None) -> None:
        """P = exp(S - m) over all key tiles, and 1/l into FP_MEM, a few rows at a time.

        `beside` writes what comes between maximum and weights of rows that are in no loop (`rows_apart`).
        """
        p, group = self.p, self.shape.group
        for number, mask in self.masks.items():
            self._add_mask(number, mask)
        with p.gps("row of S", "1/l", "sink") as (row, state, sink):
            p.point(row, self.scores, self.score_row(0))
            p.load_constant(state, self.state)
            if self.operands.sinks is not None:
                p.load_constant(sink, self.operands.sinks + head * group)
            whole, rest = divmod(group, ROWS_AT_ONCE)
            if whole:
                with p.repeat(whole, f"softmax, {ROWS_AT_ONCE} rows at a time"):
                    self._softmax_rows(ROWS_AT_ONCE, row, state, sink, beside if whole == 1 else None)
            if rest:
                self._softmax_rows(rest, row, state, sink, beside)

    def _value_chunk(self, head: int, chunk: int, following: int | None) -> None:
        """P V over a chunk of key tiles; beside the last one the first keys of the next head are fetched."""
        p = self.p
        place = chunk % self.run_chunks
        target = self.product if place else self.accumulator
        last = chunk + 1 == len(self.chunks)
        with p.gp("MSRAM tile") as tile, p.gp("HBM offset") as offset:
            if chunk > 0:
                head_offset = head * self.operands.k.span(self.operands.head_cols)
                slot = self.slots * self.blocks
                self._point_at_tiles(tile, offset, chunk * self.slots, head_offset, slot)
                with p.repeat(self.chunks[chunk], "more tiles of V"):
                    self._prefetch(tile, offset, self.v_base)
            fetches = 0
            if last and following is not None:
                self._point_at_tiles(tile, offset, 0, following, 0)
                fetches = self.chunks[0]
            column_groups = [self.shape.column_groups(self.hw, block) for block in range(self.blocks)]
            at_once = -(-fetches // sum(column_groups))
            for block, groups in enumerate(column_groups):
                beside = min(groups, fetches // at_once) if fetches else 0
                fetches -= beside * at_once
                with p.gp("V columns") as values, p.gp("product") as column:
                    first = self.slots * self.blocks + block
                    p.load_constant(values, first * self.hw.tile_elems, "V tile")
                    p.point(column, target, 0, block * self.hw.mlen)
                    what = f"{target.name} = P V, column block {block}, BLEN columns at a time"
                    for count, prefetches in ((beside, at_once), (groups - beside, 0)):
                        if count:
                            with p.repeat(count, what):
                                for _ in range(prefetches):
                                    self._prefetch(tile, offset, self.k_base)
                                self._weigh_columns(chunk, values, column)
            for _ in range(fetches):
                self._prefetch(tile, offset, self.k_base)
        if place:
            add_rows(p, self.accumulator, self.product, self.shape.group, first=False)
        if self.total is not None and (last or place + 1 == self.run_chunks):
            add_rows(p, self.total, self.accumulator, self.shape.group, first=chunk // self.run_chunks == 0)

    def _weigh_columns(self, chunk: int, values: Register, column: Register) -> None:
        """BLEN columns of P V, summed over the chunk's key tiles; both registers step on."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        passes = self.rows // self.step
        first_row = self.score_row(chunk * self.slots)
        if passes == 1:
            with p.gp("P of a tile") as weights:
                p.point(weights, self.scores, first_row)
                self._weigh_tiles(chunk, values, weights)
            self._write_out(column)
        else:
            with p.gp("rows of P") as first_weights, p.gp("block of the product") as target:
                p.point(first_weights, self.scores, first_row)
                p.add(target, column, 0)
                with p.repeat(passes, "rows"):
                    with p.gp("P of a tile") as weights:
                        p.add(weights, first_weights, 0)
                        self._weigh_tiles(chunk, values, weights)
                    self._write_out(target)
                    p.add(first_weights, first_weights, self.step * mlen)
                    p.add(target, target, self.step * mlen)
        p.add(values, values, blen * mlen)
        p.add(column, column, blen)

    def _weigh_tiles(self, chunk: int, values: Register, weights: Register) -> None:
        """The sum over the chunk's key tiles, in the accumulators; `weights` moves."""
        p = self.p
        with p.gp("V of a tile") as tile_values:
            p.add(tile_values, values, 0)
            with p.repeat(self.chunks[chunk], "key tiles"):
                self._multiply_values(tile_values, weights)
                p.add(tile_values, tile_values, self.blocks * self.hw.tile_elems)
                p.add(weights, weights, self.rows * self.hw.mlen)

    def _normalise(self, head: int) -> None:
        p, mlen = self.p, self.hw.mlen
        view = self.operands.o.batch_view(0)
        first = head * self.shape.group * self.blocks * view.block_stride
        purposes = ("row of Oacc", "row of O", "1/l")
        with p.gps(*purposes) as (output, target, state), p.fp("1/l") as reciprocal:
            for block in range(self.blocks):
                p.point(output, self.total or self.accumulator, 0, block * mlen)
                p.add(target, self.o_batch, first + block * view.block_stride)
                p.load_constant(state, self.state)
                with p.repeat(self.shape.group, f"O = Oacc / l, column block {block}"):
                    p.S_LD_FP(reciprocal, state, 0)
                    p.V_MUL_VF(target, output, reciprocal)
                    p.add(output, output, mlen)
                    p.add(target, target, self.blocks * view.block_stride)
                    p.add(state, state, 1)


class DecodeAttentionByRows(DecodeAttentionKernel):
    """The decode kernel with products a row at a time: M_TMV and M_MV."""

    by_rows = True


class DecodeAttentionByBlocks(DecodeAttentionKernel):
    """The decode kernel with products of BLEN rows: M_TMM and M_MM."""

    by_rows = False
