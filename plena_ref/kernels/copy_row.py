"""Rows of a VRAM tensor that a word of INT_MEM chooses, copied to where operators look for them."""

from __future__ import annotations

from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.operator import RowsOperator
from plena_ref.kernels.program import GP0, Program
from plena_ref.machine.hardware import Hardware


class CopyRow(RowsOperator):
    """Neighbouring rows of `source` to `target`.

    Args:
        hw: the machine.
        source: rows x features.
        word: INT_MEM word with the VRAM address of the first row, in the first column block.
        target: as many rows as are copied x features.
    """

    def __init__(self, hw: Hardware, source: VramTensor, word: int, target: VramTensor) -> None:
        self.hw, self.source, self.word, self.target = hw, source, word, target
        self.result = target

    @property
    def title(self) -> str:
        """What it does."""
        return f"{self.target.name} from {self.source.name}"

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        with p.gps("row", "its copy", "first row") as (row, copy, first):
            p.S_LD_INT(first, GP0, self.word)
            for n in range(self.target.rows):
                p.add(row, first, n * self.hw.mlen)
                p.point(copy, self.target, n)
                with p.repeat(self.target.column_blocks, f"copy of row {n}, a column block at a time"):
                    p.V_SHFT_V(copy, row, GP0)
                    p.add(row, row, self.source.block_stride)
                    p.add(copy, copy, self.target.block_stride)
