"""The matrix unit in order, one numpy float32 step for every multiply and add; payloads of its slots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine import numerics
from tb.unit.course import Course

# Operation codes of the unit: {per-head, one row, write-out, transposed tile}.
M_MM, M_TMM, M_MM_WO = 0, 1, 2
M_MV, M_TMV, M_MV_WO = 4, 5, 6
M_BMM, M_BTMM, M_BMM_WO = 8, 9, 10
M_BMV, M_BTMV, M_BMV_WO = 12, 13, 14
TRANSPOSED, WRITE_OUT, SINGLE, HEAD = 1, 2, 4, 8
ROWS = 64  # VRAM rows
TILES = 2
POISON = 0xFFA5


@dataclass
class Instruction(Course):
    """One payload; `row` and `stride` in VRAM rows, `offset` a column or row, or the first tap of a head."""

    op: int
    row: int
    offset: int
    stride: int = 0
    tile: int = 0

    @property
    def sums(self) -> int:
        """Its accumulators: SINGLE and HEAD bits of the operation."""
        return self.op & (SINGLE | HEAD)


@dataclass(frozen=True)
class Write:
    """One accepted row of the write port: row, first column, raw bf16 of BLEN columns or of the whole row."""

    row: int
    column: int
    words: tuple[int, ...]


def tree_sum(terms: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The sum of a power of two of arrays: balanced binary tree, neighbours first, one flushed add a node."""
    while len(terms) > 1:
        terms = [numerics.f32_add(one, two) for one, two in zip(terms[::2], terms[1::2], strict=True)]
    return terms[0]


class Model:
    """The accumulators, one instruction at a time."""

    def __init__(self, vram: NDArray[np.uint16], tiles: NDArray[np.uint16], blen: int, hlen: int) -> None:
        self.vram = numerics.bf16_to_f32(vram)
        self.tiles = numerics.bf16_to_f32(tiles)
        self.mlen = vram.shape[1]
        self.blen, self.hlen = blen, hlen
        self.lanes = self.mlen // hlen
        self.clear()

    def clear(self) -> None:
        """All accumulators become +0."""
        self.sums: dict[int, NDArray[np.float32]] = {}
        for sums in (0, SINGLE, HEAD, HEAD | SINGLE):
            self._clear(sums)

    def _clear(self, sums: int) -> None:
        rows = self.rows(sums)
        mini_arrays = (self.mlen // self.blen, rows, self.blen)
        heads = (self.lanes, rows, self.mlen)
        self.sums[sums] = np.zeros(heads if sums & HEAD else mini_arrays, dtype=np.float32)

    def rows(self, op: int) -> int:
        """VRAM rows that a product reads, and result rows of a write-out (per head)."""
        return 1 if op & SINGLE else self.mlen if op & HEAD else self.blen

    def run(self, instruction: Instruction) -> list[Write]:
        """Execute; the rows that the instruction writes, in order."""
        op = instruction.op
        if op & WRITE_OUT:
            return self._write_out(instruction)
        left = self.vram[instruction.row : instruction.row + self.rows(op)]
        tile = self.tiles[instruction.tile]
        right = tile.T if op & TRANSPOSED else tile  # taps by columns
        if op & HEAD:
            self._heads(instruction, left, right[instruction.offset : instruction.offset + self.hlen])
            return []
        sums, blen = self.sums[instruction.sums], self.blen
        for mini in range(self.mlen // blen):
            for k in range(mini * blen, (mini + 1) * blen):
                columns = right[k : k + 1, instruction.offset : instruction.offset + blen]
                sums[mini] = numerics.f32_add(sums[mini], numerics.f32_mul(left[:, k : k + 1], columns))
        return []

    def _heads(self, instruction: Instruction, left: NDArray[np.float32], right: NDArray[np.float32]) -> None:
        """One per-head product: `left` [rows, MLEN], `right` [HLEN, MLEN]."""
        sums, hlen, group = self.sums[instruction.sums], self.hlen, min(self.blen, self.hlen)
        for head in range(self.lanes):
            groups = []
            for first in range(0, hlen, group):
                total = np.zeros((len(left), self.mlen), dtype=np.float32)
                for d in range(first, first + group):
                    lane = head * hlen + d if instruction.op & TRANSPOSED else d * self.lanes + head
                    product = numerics.f32_mul(left[:, lane : lane + 1], right[d : d + 1])
                    total = numerics.f32_add(total, product)
                groups.append(total)
            sums[head] = numerics.f32_add(sums[head], tree_sum(groups))

    def _write_out(self, instruction: Instruction) -> list[Write]:
        sums, column = self.sums[instruction.sums], instruction.offset
        if instruction.op & HEAD:
            result, stride, column = numerics.f32_to_bf16(sums).reshape(-1, self.mlen), 1, 0
        else:
            result, stride = numerics.f32_to_bf16(tree_sum(list(sums))), instruction.stride
        self._clear(instruction.sums)
        rows = [(instruction.row + i * stride) % ROWS for i in range(len(result))]
        return [Write(row, column, tuple(result[i].tolist())) for i, row in enumerate(rows)]
