"""The steps of flash attention for a group of BLEN query rows: products, scaling, and the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plena_ref.kernels.attention.constants import FP_SCALE
from plena_ref.kernels.attention.flash_memory import FlashMemory
from plena_ref.kernels.attention.head_pointers import O_HEAD, Q_HEAD
from plena_ref.kernels.attention.products import multiply_key_blocks
from plena_ref.kernels.attention.softmax import ROWS_IN_FLIGHT
from plena_ref.kernels.attention.tiling import KeyBlock, QueryTile
from plena_ref.kernels.program import GP0, Program, Register


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

    def _group_count(self, step: Step) -> int:
        return -(-step.tile.rows // self.hw.blen)

    def _scale_queries(self, tile: QueryTile, line: Register) -> None:
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

    def _scores(self, step: Step, line: Register) -> None:
        """S = Qs K^T for the row group at `line` of Qs."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        offset = self.scores.base - self.q_scaled.base
        walk = (self.blocks, self.q_scaled.block_stride, self.hw.tile_elems)
        with p.gp("BLEN keys") as keys, p.gp("block of S") as target:
            for tile, slot in enumerate(step.slots):
                p.load_constant(keys, self.kv.keys_at(slot), "K tile")
                p.add(target, line, offset + tile * self.scores.block_stride)
                with p.repeat(mlen // blen, f"S = Qs K^T, key tile {tile} of the block, BLEN keys at a time"):
                    multiply_key_blocks(p, p.M_TMM, line, keys, *walk)
                    p.M_MM_WO(target, GP0, 0)
                    p.add(keys, keys, blen * mlen)
                    p.add(target, target, blen)

    def _weigh_values(self, step: Step, line: Register) -> None:
        """Oacc or PV = P V for the row group at `line` of Qs."""
        p, mlen, blen = self.p, self.hw.mlen, self.hw.blen
        target = self.accumulator if step.block.first else self.product
        with p.gp("BLEN rows of P") as weights, p.gp("BLEN columns of V") as values, p.gp("product") as block:
            p.add(weights, line, self.scores.base - self.q_scaled.base)
            for head_block in range(self.blocks):
                tiles = [self.kv.values_at(slot, head_block) for slot in step.slots]
                p.load_constant(values, tiles[0], "V tile")
                p.add(block, line, target.address(0, head_block * mlen) - self.q_scaled.base)
                groups = self.shape.column_groups(self.hw, head_block)
                with p.repeat(groups, f"{target.name} = P V, BLEN columns at a time"):
                    p.M_MM(values, weights)
                    self._weigh_further(tiles, values, weights)
                    p.M_MM_WO(block, GP0, 0)
                    p.add(values, values, blen * mlen)
                    p.add(block, block, blen)

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
            self.pointers.load(self.p, O_HEAD, "row of O") as target,
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
