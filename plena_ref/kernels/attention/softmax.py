"""The softmax of rows of scores against one key block, several rows in flight.

For each row: m = max(m, row maximum), P = exp(S - m) in place, l = l*exp(m_old - m) + sum of P, which starts
from 0 in each block; O is multiplied by exp(m_old - m) where an earlier block of the run has begun it. Where
a query tile has one block, P is multiplied by 1/l. Instructions of different rows alternate, so that each
row's chain of dependent steps runs in the shadow of the others' (`weave.py`). See docs/kernels.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from plena_ref.kernels.attention.masks import MaskTensors
from plena_ref.kernels.attention.tiling import KeyBlock, Mask
from plena_ref.kernels.attention.weave import Addresses, Op, Row, Weaver
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import F0, GP0, Program, Register

#: F registers for the rows in flight.
POOL = 6
#: Registers for addresses at most.
ADDRESSES = 8

#: Cycles from the issue of an instruction to that of one that needs its result (docs/microarchitecture.md).
ROW_LATENCY = 3
FLOAT_LATENCY = 1
FUNCTION_LATENCY = 2
#: Of a reduction, after the levels of its tree; one more than the least, as a bank of VRAM may be busy.
REDUCTION_LATENCY = 3


@dataclass(frozen=True)
class RowPointers:
    """Where the rows lie whose turn it is.

    Attributes:
        scores: register that moves with the rows of scores.
        offset: elements from what `scores` holds to the first row in the first key tile.
        line: register that moves with the rows of the query tile; may be `scores` itself.
        line_offset: elements from what `line` holds to the first row of the query tile's scratch.
        state: register with the FP_MEM word of the first row's running maximum.
    """

    scores: Register
    offset: int
    line: Register
    line_offset: int
    state: Register


@dataclass(frozen=True)
class BlockSoftmax:
    """Writes the softmax of one kernel.

    Attributes:
        p: the program.
        scores: tensor of scores: a column block a key tile.
        masks: mask tensors.
        line_base: element address of the first row of the query tile's scratch.
        zero: FP_MEM word that holds 0.0.
        lowest: FP_MEM word that a maximum starts from.
        sum_offset: FP_MEM words from a row's running maximum to its sum.
        rescale_output: adds the instructions that multiply a row of O by an f register.
        scaled_weights: P is multiplied by 1/l where the block is all of its query tile.
    """

    p: Program
    scores: VramTensor
    masks: MaskTensors
    line_base: int
    zero: int
    lowest: int
    sum_offset: int
    rescale_output: Callable[[RescaledRow], None]
    scaled_weights: bool

    def write(
        self,
        block: KeyBlock,
        rows: int,
        at: RowPointers,
        sink: Register | None,
        fill: Callable[[Addresses], Sequence[Callable[[], None]]] = lambda _: (),
        left: int = 1,
    ) -> None:
        """The softmax of `rows` rows; no register of `at` moves.

        Leaves the sum in FP_MEM, or its reciprocal where it is complete, or nothing where P has it.

        Args:
            block, rows, at: which.
            sink: register with the FP_MEM word of the head's sink, or None.
            fill: other work that is woven in.
            left: integer registers that it needs, or that large constants do.
        """
        p = self.p
        with ExitStack() as stack:
            pool = [stack.enter_context(p.fp("a row's maximum, then sum")) for _ in range(POOL)]
            count = min(ADDRESSES, p.free("gp") - left)
            held = [stack.enter_context(p.gp("an address")) for _ in range(count)]
            addresses = Addresses(p, held)
            made = [_RowSoftmax(self, block, n, at, sink, addresses).row for n in range(rows)]
            Weaver(made, fill(addresses), pool).write(p, addresses)

    def weights_are_scaled(self, block: KeyBlock) -> bool:
        """P holds 1/l already."""
        return self.scaled_weights and block.completes and block.first


@dataclass(frozen=True)
class RescaledRow:
    """A row of O that an earlier block has begun.

    Attributes:
        block: the key block that it is rescaled for.
        row: the instructions of its softmax; the factor is in its register x.
        line, offset: the row of the query tile's scratch.
        addresses: makes addresses.
        after: what makes the factor.
    """

    block: KeyBlock
    row: Row
    line: Register
    offset: int
    addresses: Addresses
    after: Op


class _RowSoftmax:
    """The instructions of one row."""

    def __init__(
        self,
        softmax: BlockSoftmax,
        block: KeyBlock,
        number: int,
        at: RowPointers,
        sink: Register | None,
        addresses: Addresses,
    ) -> None:
        self.softmax, self.block, self.number, self.at, self.sink = softmax, block, number, at, sink
        self.p, self.addresses = softmax.p, addresses
        levels = softmax.scores.mlen.bit_length() - 1
        self.maximum_latency = -(-levels // 2) + REDUCTION_LATENCY
        self.sum_latency = levels + REDUCTION_LATENCY
        self.joins = not block.begins_run
        self.row = Row(3 if self.joins else 2 if sink is not None else 1)
        self.f = self.row.held
        self._write()

    def _score(self, tile: int) -> Register:
        """Address of the row's scores of key tile `tile` of the block."""
        mlen, stride = self.softmax.scores.mlen, self.softmax.scores.block_stride
        return self.addresses(self.at.scores, self.at.offset + tile * stride + self.number * mlen)

    def _apart(self, tile: int) -> None:
        self.p.V_SUB_VF(self._score(tile), self._score(tile), self.f["main"], 0, 0)

    def _exponential(self, tile: int) -> None:
        self.p.V_EXP_V(self._score(tile), self._score(tile), comment="P")

    def _sum(self, tile: int) -> None:
        self.p.V_RED_SUM(self.f["main"], self._score(tile), comment="l")

    def _scale(self, tile: int) -> None:
        self.p.V_MUL_VF(self._score(tile), self._score(tile), self.f["main"], comment="P/l")

    def _largest(self, tile: int) -> None:
        self.p.V_RED_MAX(self.f["main"], self._score(tile), comment="m")

    def _line(self, address: int) -> Register:
        """Address of the row in a tensor of the query tile that begins at `address`."""
        place = address - self.softmax.line_base + self.at.line_offset
        return self.addresses(self.at.line, place + self.number * self.softmax.scores.mlen)

    def _load(self, name: str, base: Register, word: int, *after: Op | None, comment: str = "") -> Op:
        return self.row.add(
            lambda: self.p.S_LD_FP(self.f[name], base, word, comment=comment),
            FLOAT_LATENCY,
            *after,
            takes=(name,),
        )

    def _store(self, name: str, word: int, comment: str, *after: Op, frees: tuple[str, ...] = ()) -> Op:
        return self.row.add(
            lambda: self.p.S_ST_FP(self.f[name], self.at.state, word, comment=comment),
            FLOAT_LATENCY,
            *after,
            frees=frees,
        )

    def _write(self) -> None:
        p, f, row, block, n = self.p, self.f, self.row, self.block, self.number
        softmax, tiles = self.softmax, range(len(self.block.tiles))
        word = softmax.sum_offset + n
        maximum = self._maximum()
        done, rescaled, start = [maximum], None, None
        if self.joins:
            rescaled, read = self._rescale(maximum)
            done.append(read)
        elif self.sink is not None:
            start = self._sink(self.sink, maximum)
            done.append(start)
        weights = self._weights(maximum, done)
        if not block.completes:
            done.append(self._store("main", n, "m", *done))
        if start is None:
            total = self._load("main", GP0, softmax.zero, *done)
        else:
            total = row.add(
                lambda: p.S_ADD_FP(f["main"], f["x"], F0, comment="exp(sink - m)"),
                FLOAT_LATENCY,
                *done,
                frees=("x",),
            )
        for tile in tiles:
            total = row.add(
                partial(self._sum, tile),
                self.sum_latency,
                total,
                weights[tile],
                vector=True,
            )
        if rescaled is not None:
            before = self._load("x", self.at.state, word, rescaled)
            total = row.add(
                lambda: p.S_ADD_FP(f["main"], f["x"], f["main"]), FLOAT_LATENCY, before, total, frees=("x",)
            )
        self._finish(total, weights)

    def _weights(self, maximum: Op, done: list[Op]) -> list[Op]:
        """P = exp(S - m); what reads m joins `done`."""
        weights = []
        for tile in range(len(self.block.tiles)):
            apart = self.row.add(partial(self._apart, tile), ROW_LATENCY, maximum, vector=True)
            weights.append(self.row.add(partial(self._exponential, tile), ROW_LATENCY, apart, vector=True))
            done.append(apart)
        return weights

    def _finish(self, total: Op, weights: list[Op]) -> None:
        """The sum or its reciprocal to FP_MEM, or times P."""
        f, row, block = self.f, self.row, self.block
        if block.completes:
            total = row.add(lambda: self.p.S_RECI_FP(f["main"], f["main"]), FUNCTION_LATENCY, total)
        if not self.softmax.weights_are_scaled(block):
            word = self.softmax.sum_offset + self.number
            self._store("main", word, "1/l" if block.completes else "l", total, frees=("main",))
            return
        for tile, weight in enumerate(weights):
            before = row.ops[-1] if tile else None
            frees = ("main",) if tile + 1 == len(weights) else ()
            scale = partial(self._scale, tile)
            row.add(scale, ROW_LATENCY, total, weight, before, vector=True, frees=frees)

    def _maximum(self) -> Op:
        """Masks, and the maximum over all tiles."""
        row, block = self.row, self.block
        if not block.first:
            found = self._load("main", self.at.state, self.number)
        elif self.sink is not None:
            found = self._load("main", self.sink, 0)
        else:
            found = self._load("main", GP0, self.softmax.lowest)
        for tile, key in enumerate(block.tiles):
            mask = key.mask(self.softmax.scores.mlen)
            masked = None if mask is None else self._add_mask(tile, mask)
            found = row.add(
                partial(self._largest, tile),
                self.maximum_latency,
                found,
                masked,
                vector=True,
            )
        return found

    def _add_mask(self, tile: int, mask: Mask) -> Op:
        masks, p = self.softmax.masks, self.p
        tensor, staged = masks.tensors[mask], masks.staged.get(mask)

        def write() -> None:
            scores = self._score(tile) if staged is None else self._line(staged.base)
            hidden = self.addresses(GP0, tensor.base) if mask.uniform else self._line(tensor.base)
            p.V_ADD_VV(self._score(tile), scores, hidden)

        return self.row.add(write, ROW_LATENCY, vector=True)

    def _sink(self, word: Register, maximum: Op) -> Op:
        """x = exp(sink - m)."""
        p, f = self.p, self.f
        sink = self._load("x", word, 0)
        apart = self.row.add(lambda: p.S_SUB_FP(f["x"], f["x"], f["main"]), FLOAT_LATENCY, sink, maximum)
        return self.row.add(lambda: p.S_EXP_FP(f["x"], f["x"]), FUNCTION_LATENCY, apart)

    def _rescale(self, maximum: Op) -> tuple[Op, Op]:
        """What the old sum and the old output count under the new maximum; and what reads both maxima."""
        p, f, row, word = self.p, self.f, self.row, self.softmax.sum_offset + self.number
        old = row.add(lambda: p.S_LD_FP(f["x"], self.at.state, self.number), FLOAT_LATENCY, takes=("x", "y"))
        apart = row.add(lambda: p.S_SUB_FP(f["x"], f["x"], f["main"]), FLOAT_LATENCY, old, maximum)
        factor = row.add(
            lambda: p.S_EXP_FP(f["x"], f["x"], comment="exp(m_old - m)"), FUNCTION_LATENCY, apart
        )
        place = self.at.line_offset + self.number * self.softmax.scores.mlen
        self.softmax.rescale_output(RescaledRow(self.block, row, self.at.line, place, self.addresses, factor))
        outputs = [op for op in row.ops if op.vector and factor in op.after]
        total = self._load("y", self.at.state, word, old)
        product = row.add(lambda: p.S_MUL_FP(f["y"], f["y"], f["x"]), FLOAT_LATENCY, total, factor)
        kept = self._store("y", word, "l*exp(m_old - m)", product, *outputs, frees=("x", "y"))
        return kept, apart
