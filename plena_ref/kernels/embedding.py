"""Embedding: rows of a table in HBM by token ids in INT_MEM; one program for any ids.

The table is stored a block of MLEN columns at a time: all rows of the first block, then all of the second.
So a row of a block is one run of bytes, and MLEN rows of a block are one run too, as the output head with
tied weights wants them. It ends at LIMIT (`HbmAllocator.last_tensor`): of an id past the last row, the last
block lies past LIMIT, and its prefetch traps as HBM_ERROR. (Ids are multiplied modulo 2^32: from 2^32/MLEN on
they can come out as a row. The host refuses them.)

A prefetch fills VPREF rows. With STRIDE 0 they are the same row VPREF times, so that nothing past it is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.operator import RowsOperator
from plena_ref.kernels.program import GP0, Program, Register
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region


@dataclass(frozen=True)
class EmbeddingTable:
    """Where a table lies.

    Attributes:
        tensor: rows of MLEN elements, all rows of a block of columns before those of the next.
        vocabulary: rows of the table, a token each.
        features: columns of the table; the last block is filled up with zeros.
    """

    tensor: HbmTensor
    vocabulary: int
    features: int

    @classmethod
    def place(cls, hw: Hardware, vocabulary: int, features: int, room: Room) -> EmbeddingTable:
        """The table as the last tensor below LIMIT.

        Raises:
            LayoutError: HBM is full, or already has a last tensor.
        """
        blocks = -(-features // hw.mlen)
        tensor = room.hbm.last_tensor("embedding table", blocks * vocabulary, hw.mlen, (("v", 0),))
        return cls(tensor, vocabulary, features)

    @property
    def blocks(self) -> int:
        """Blocks of MLEN columns."""
        return self.tensor.rows // self.vocabulary

    @property
    def block_bytes(self) -> int:
        """Element bytes from a block of columns to the next."""
        return self.vocabulary * self.tensor.row_bytes

    def check_ids(self, ids: list[int]) -> None:
        """Refuse ids that name no row.

        Raises:
            KernelError: names the first of them.
        """
        for at, token in enumerate(ids):
            if not 0 <= token < self.vocabulary:
                raise KernelError(
                    f"token {at} has id {token}: the table has rows 0 to {self.vocabulary - 1} "
                    f"(VOCABULARY = {self.vocabulary})"
                )


class EmbeddingKernel(RowsOperator):
    """X = table[ids].

    Args:
        hw: the machine.
        table: from `EmbeddingTable.place`.
        ids: first of the INT_MEM words that hold the ids, one a row of X.
        x: tokens x features; its padding columns become the table's, zeros.
        room: where to take scratch from.

    Raises:
        LayoutError: VRAM is full.
    """

    def __init__(self, hw: Hardware, table: EmbeddingTable, ids: int, x: VramTensor, room: Room) -> None:
        self.hw, self.table, self.ids, self.x = hw, table, ids, x
        self.result = x
        self.row = room.vram.tensor("row of the table", hw.vpref, x.cols)

    @property
    def title(self) -> str:
        """What it does."""
        return f"embedding of {self.x.rows} tokens: rows of {self.table.features} features"

    def scratch(self) -> list[Region]:
        """The row at hand, VPREF times."""
        return self.row.row_regions(0, self.hw.vpref)

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        with p.hbm_base("table") as base:
            p.set_hbm_base(base, self.table.tensor.base, self.table.tensor.name)
            with p.gp("a control register") as value:
                p.load_constant(value, self.table.tensor.scale_offset)
                p.C_SET_SCALE_REG(value)
                p.C_SET_STRIDE_REG(GP0)
            with p.gps("word of the id", "row of X", "block of the table", "row length") as pointers:
                word, x, step, length = pointers
                p.load_constant(word, self.ids)
                p.point(x, self.x)
                p.load_constant(step, self.table.block_bytes)
                p.load_constant(length, self.table.tensor.row_bytes)
                with p.repeat(self.x.rows, "a token"):
                    self._token(p, base, pointers)
                    p.add(word, word, 1)
                    p.add(x, x, self.hw.mlen)

    def _token(self, p: Program, base: Register, pointers: tuple[Register, ...]) -> None:
        """All column blocks of one row: first all prefetches, then the copies."""
        word, x, step, length = pointers
        with p.gps("HBM offset", "column block") as (offset, block):
            p.S_LD_INT(offset, word, 0, comment="token id")
            p.S_MUL_INT(offset, offset, length)
            p.point(block, self.row)
            with p.repeat(self.x.column_blocks, "column blocks from HBM"):
                p.H_PREFETCH_V(block, offset, base, 1, 0)
                p.S_ADD_INT(offset, offset, step)
                p.add(block, block, self.row.block_stride)
            p.point(block, self.row)
            p.add(offset, x, 0)
            with p.repeat(self.x.column_blocks, "column blocks to X"):
                p.V_SHFT_V(offset, block, GP0)
                p.add(block, block, self.row.block_stride)
                p.add(offset, offset, self.x.block_stride)
