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

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from types import MappingProxyType

from plena_ref.kernels.attention.constants import FP_NEG_INF, FP_SCALE
from plena_ref.kernels.attention.flash_steps import FlashSteps, Step, Work
from plena_ref.kernels.attention.head_pointers import O_HEAD, Q_HEAD, SINK_HEAD
from plena_ref.kernels.attention.softmax import BlockSoftmax, RowPointers
from plena_ref.kernels.attention.tiling import KeyBlock
from plena_ref.kernels.attention.weave import Addresses
from plena_ref.kernels.padding import clear_last_block
from plena_ref.kernels.program import GP0, Program, Register


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


#: Work for the array, made with what makes its addresses.
Left = Callable[[Addresses], list[Work]]
#: Number of the key tile in (tensor, slot).
Slots = Mapping[tuple[str, int], int]
#: Key tiles that the queue of the HBM unit holds: they are asked for before anything else.
QUEUED_TILES = 4
#: Products and write-outs of scores that go to the array at once.
QUEUED_PRODUCTS = 64
#: Registers for addresses where nothing else is under way.
ADDRESSES_ALONE = 4


class AttentionKernel(FlashSteps):
    """Multi-head attention on given tensors: the walk over query tiles and their blocks of key tiles."""

    #: P is multiplied by 1/l where a query tile has one block, and a head fills its column blocks.
    scales_weights = True

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        shape, self.p = self.shape, p
        self.softmax = BlockSoftmax(
            p,
            self.scores,
            self.masks,
            line_base=self.q_scaled.base,
            zero=self.row_state.zero,
            lowest=self.row_state.lowest,
            sum_offset=self.sum_offset,
            rescale_output=self._rescale_output,
            scaled_weights=self.scales_weights and not self.operands.has_idle_groups(self.hw),
        )
        #: Whether the masks have still to be made.
        self._unmasked = True
        with p.hbm_base("K") as k, p.hbm_base("V") as v:
            self._set_up(k, v)
            self.kv.begin(k, v)
            if shape.batch * shape.heads > 1:
                self._prepare_masks()
            with self._outer_loop(shape.batch, 0, "batches"):
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

    def _prepare_masks(self) -> None:
        """Masks, and zeros in columns that no product reaches: once, beside the first keys if it may be."""
        if not self._unmasked:
            return
        self._unmasked = False
        self.masks.emit(self.p, self.operands.constants + FP_NEG_INF)
        if self.operands.has_idle_groups(self.hw):
            for tensor in filter(None, (self.accumulator, self._product)):
                clear_last_block(self.p, tensor)

    def _outer_loop(self, count: int, number: int, comment: str) -> AbstractContextManager[None]:
        """A loop over heads; its counter waits in INT_MEM where registers are scarce."""
        if count > 1 and self.counter_words:
            return self.p.long_loop(count, self.pointers.first + self.int_pointers + number, comment)
        return self.p.repeat(count, comment)

    def _heads(self) -> tuple[int, int]:
        """All heads of a batch; returns how many heads of Q and of K the pointers have moved."""
        p, shape = self.p, self.shape
        heads_step, kv_step = int(shape.heads > 1), int(shape.kv_heads > 1)
        with self._outer_loop(shape.kv_heads, 1, "heads of K and V"):
            if self.resident:
                self._load_all()
            with self._outer_loop(shape.group, 2, "query heads of a group"):
                self._head()
                self.pointers.advance(p, heads=heads_step)
            self.pointers.advance(p, kv_heads=kv_step)
        return shape.heads * heads_step, shape.kv_heads * kv_step

    def _load_all(self) -> None:
        """Prefetch every key tile that some query tile needs; there is a slot for each."""
        self.kv.forget()
        self.p.comment("K and V of a group of query heads")
        for load in (self.kv.load_keys, self.kv.load_values):
            for tile in self.tiles:
                load(self.p, tile.key_tiles)

    def _head(self) -> None:
        p = self.p
        if not self.resident:
            self.kv.forget()
        steps = self._steps()
        first, rest = steps[0].block.tiles[:QUEUED_TILES], steps[0].block.tiles[QUEUED_TILES:]
        self.kv.load_keys(p, first)
        self._prepare_masks()
        with ExitStack() as stack:
            self._take_registers(stack, steps)
            p.S_LD_FP(self.scale, GP0, self.operands.constants + FP_SCALE)
            groups = self._group_count(steps[0])
            self._scale_queries(steps[0], 0, 1)
            self.kv.load_keys(p, rest)
            self._do(partial(self._score_work, steps[0], 0, 0))
            ready = self._scores_first(steps[0])
            if groups > 1:
                self._scale_queries(steps[0], 1, groups)
                self._do(partial(self._further_scores, steps[0], 1, ready))
            left: Left = partial(self._further_scores, steps[0], ready, groups)
            before: Step | None = None
            for step, following in zip(steps, [*steps[1:], None], strict=True):
                block, rows = step.block, f"query tile {step.tile.index}: {step.tile.rows} rows"
                p.comment(f"{rows}; key tiles {block.tiles[0].index} to {block.tiles[-1].index}")
                fetches = self._fetches(step, following, self._needed(step, before))
                if len(steps) == 1:
                    for fetch in fetches:
                        fetch(p)
                    fetches = []
                self._step(step, following, before, partial(self._beside, fetches, left))
                before = step
                left = partial(self._left_work, step, following)
                if following is None or not self._flows(step):
                    p.add(self.target, self.target, -self._taken_again(step) * self.hw.mlen)
                    self._do(left)
                    left, before = _nothing, None
                if block.ends_run and block.runs > 1:
                    self._join_run(step)
                if block.last:
                    self._finish(step, following)

    def _take_registers(self, stack: ExitStack, steps: list[Step]) -> None:
        """The registers that the steps of a head need; the others are gp0."""
        scaled = [self.softmax.weights_are_scaled(step.block) for step in steps]
        triangles = [mask for mask in self.masks.staged if not mask.uniform]
        needed = {
            "row group of Qs": True,
            "softmax state": not all(scaled),
            "row group of Q": len(self.tiles) > 1,
            "row group of O": any(scaled),
            "end of keys": bool(triangles) and len(steps) > 1,
        }
        registers = [stack.enter_context(self.p.gp(name)) if use else GP0 for name, use in needed.items()]
        self.line, self.state_row, self.source, self.target, self.end = registers
        self.scale = stack.enter_context(self.p.fp("softmax scale"))

    def _beside(
        self,
        fetches: list[Callable[[Program], None]],
        left: Left,
        at: Addresses,
    ) -> list[Work]:
        """Prefetches, the first of them at once and the others spread over what is left for the array."""
        work = left(at)
        for number, fetch in enumerate(fetches):
            place = number + number * len(work) // len(fetches)
            work.insert(place, partial(fetch, self.p))
        return work

    def _needed(self, step: Step, before: Step | None) -> Slots:
        """What the array has still to read of K of a step, and of V of the one before."""
        steps = [("K", step)] + ([("V", before)] if before is not None else [])
        return {
            (name, slot): key.index
            for name, owner in steps
            for slot, key in zip(owner.slots, owner.block.tiles, strict=True)
        }

    def _do(self, work: Left) -> None:
        """Work beside which no softmax is left."""
        p = self.p
        p.point(self.line, self.q_scaled)
        with p.gps(*["an address"] * ADDRESSES_ALONE) as registers:
            for write in work(Addresses(p, registers)):
                write()

    def _steps(self) -> list[Step]:
        """The steps of a head. Under a causal mask the longest query tile comes first, if each has one block.

        So the array has the scores of shorter ones to make beside the longest softmax, and little is left for
        it after the last.
        """
        return [
            Step(tile, block, tuple(self.kv.slot(key) for key in block.tiles))
            for tile in (reversed(self.tiles) if self._longest_first else self.tiles)
            for block in tile.key_blocks(self.block_tiles, self.run_blocks)
        ]

    def _fetches(
        self, step: Step, following: Step | None, needed: Slots = MappingProxyType({})
    ) -> list[Callable[[Program], None]]:
        """Prefetch V of this step, K of the next and, if that leaves alone the V of this one, its V.

        Args:
            step, following: the steps.
            needed: slots whose K and V of the step at hand and the one before are still to be read.
        """
        wanted = [("V", key) for key in step.block.tiles]
        if following is not None:
            own = dict(zip(step.slots, step.block.tiles, strict=True))
            wanted += [("K", key) for key in following.block.tiles]
            wanted += [
                ("V", key)
                for key in following.block.tiles
                if own.get(self.kv.slot(key), key).index == key.index
            ]
        found: list[Callable[[Program], None]] = []
        for name, key in wanted:
            if needed.get((name, self.kv.slot(key)), key.index) == key.index:
                found += self.kv.fetches(name, (key,))
        return found

    def _scale_queries(self, step: Step, first: int, end: int) -> None:
        """Qs = scale*Q for row groups first..end-1 of a step's query tile."""
        p, group, mlen = self.p, self.hw.blen * self.hw.mlen, self.hw.mlen
        view = self.operands.q.batch_view(0)
        for block in range(self.blocks):
            with self.pointers.load(p, Q_HEAD, "row of Q") as source, p.gp("row of Qs") as target:
                tile = self.q_scaled.base + step.tile.index * mlen * mlen
                p.add(source, source, tile + first * group + block * view.block_stride)
                p.point(target, self.q_scaled, first * self.hw.blen, block * mlen)
                p.comment(f"Qs = scale * Q, column block {block}")
                for _ in range((end - first) * self.hw.blen):
                    p.V_MUL_VF(target, source, self.scale)
                    p.add(source, source, mlen)
                    p.add(target, target, mlen)

    def _scores_first(self, step: Step) -> int:
        """Row groups whose scores the queue of the array takes before there is a softmax to run beside."""
        products = (self.blocks + 1) * len(step.block.tiles) * (self.hw.mlen // self.hw.blen)
        return min(self._group_count(step), 1 + QUEUED_PRODUCTS // products)

    def _further_scores(self, step: Step, first: int, end: int, at: Addresses) -> list[Work]:
        """The scores of row groups first..end-1 of a step."""
        work: list[Work] = []
        for group in range(first, end):
            work += self._score_work(step, group, group * self.hw.blen * self.hw.mlen, at)
        return work

    def _step(self, step: Step, following: Step | None, before: Step | None, left: Left) -> None:
        """Softmax of a step, beside what is left for the array of the step before, if anything is.

        From the second row group on, the array does P V of the row group before it and its scores of the
        following step.
        """
        p, blen, group = self.p, self.hw.blen, self.hw.blen * self.hw.mlen
        fed = 0 if following is None else self._group_count(following)
        p.point(self.line, self.q_scaled)
        if self.state_row != GP0:
            p.load_constant(self.state_row, self.state)
        offset = self.scores.base - self.q_scaled.base
        at = RowPointers(self.line, offset, self.line, 0, self.state_row)
        self._softmax(step.block, min(step.tile.rows, blen), at, left)
        if before is not None:
            self._finish_last_group(before)
        for fetch in self._fetches(step, following):
            fetch(p)
        self._point(step, following)
        at = RowPointers(self.line, offset + group, self.line, group, self.state_row)
        if self.state_row != GP0:
            p.add(self.state_row, self.state_row, blen)
        for groups in self._later_groups(step, fed):
            with p.repeat(groups.count, f"row groups of {groups.rows}"):
                work = partial(self._work, step, following if groups.feeds else None, None, 0)
                self._softmax(step.block, groups.rows, at, work)
                self._move(group)

    def _move(self, group: int) -> None:
        """The registers of a head go on by a row group."""
        for register in (self.line, self.source, self.target, self.end):
            if register != GP0:
                self.p.add(register, register, group)
        if self.state_row != GP0:
            self.p.add(self.state_row, self.state_row, self.hw.blen)

    def _point(self, step: Step, following: Step | None) -> None:
        """Registers of the work for the array, at the first row group."""
        p, mlen = self.p, self.hw.mlen
        if self._writes_output(step, last=False):
            p.S_LD_INT(self.target, GP0, self.pointers.first + O_HEAD)
            p.add(self.target, self.target, step.tile.index * mlen * mlen)
        if following is None:
            return
        if following.tile is not step.tile:
            p.S_LD_INT(self.source, GP0, self.pointers.first + Q_HEAD)
            p.add(self.source, self.source, self.q_scaled.base + following.tile.index * mlen * mlen)
        # Of a diagonal tile, each row group sees BLEN keys more.
        for key, slot in zip(following.block.tiles, following.slots, strict=True):
            mask = key.mask(mlen)
            if mask in self.masks.staged and not mask.uniform:
                p.load_constant(self.end, self.kv.keys_at(slot) + self.hw.blen * mlen)

    def _work(
        self, step: Step, following: Step | None, group: int | None, offset: int, at: Addresses
    ) -> list[Work]:
        """P V of a row group of a step, and its scores of the following one, with its Qs if they are new."""
        values = self._value_work(step, offset, group is not None, at)
        if following is None:
            return values
        queries = self._query_work(offset, at) if following.tile is not step.tile else []
        return [*values, *queries, *self._score_work(following, group, offset, at)]

    def _left_work(self, step: Step, following: Step | None, at: Addresses) -> list[Work]:
        """What a step leaves for the array: the work for its last row group."""
        last, size = self._group_count(step) - 1, self.hw.blen * self.hw.mlen
        fed = 0 if following is None else self._group_count(following)
        first = (self._last_group(step) - self._taken_again(step)) * self.hw.mlen
        work = self._work(step, following if fed > last else None, last, first, at)
        if following is not None:
            # A query tile of more rows than the one before it.
            for group in range(last + 1, fed):
                work += self._query_work(group * size, at, (group - last) * size)
                work += self._score_work(following, group, group * size, at)
        return work

    def _later_groups(self, step: Step, fed: int) -> Iterator[RowGroups]:
        """The row groups of a step from the second on; the first `fed` groups feed the following step."""
        blen, rows = self.hw.blen, step.tile.rows
        whole, count = rows // blen, self._group_count(step)
        bounds = sorted({1, min(fed + 1, count), max(whole, 1), count})
        for start, stop in pairwise(bounds):
            yield RowGroups(stop - start, blen if stop <= whole else rows % blen, stop <= fed + 1)

    def _softmax(self, block: KeyBlock, rows: int, at: RowPointers, work: Left) -> None:
        left = (3 + 2 * (self.blocks > 1)) if self.end != GP0 else 2
        if self.shape.sinks and block.first:
            with self.pointers.load(self.p, SINK_HEAD, "sink of the head") as sink:
                self.softmax.write(block, rows, at, sink, work, left)
        else:
            self.softmax.write(block, rows, at, None, work, left)


def _nothing(_: Addresses) -> list[Work]:
    return []
