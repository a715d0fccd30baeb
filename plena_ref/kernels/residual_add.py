"""Residual add: R = X + Y, row by row."""

from __future__ import annotations

from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.operator import RowsOperator
from plena_ref.kernels.program import Program
from plena_ref.machine.hardware import Hardware


class ResidualAddKernel(RowsOperator):
    """R = X + Y on given tensors; R may be one of them. Padding columns are added like any other.

    Args:
        hw: the machine.
        x, y, result: rows x features each.
    """

    def __init__(self, hw: Hardware, x: VramTensor, y: VramTensor, result: VramTensor) -> None:
        self.hw = hw
        self.x, self.y, self.result = x, y, result

    @property
    def title(self) -> str:
        """What it does."""
        return f"residual add of {self.x.rows} rows of {self.x.cols} features"

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        mlen = self.hw.mlen
        with p.gp("row of X") as x, p.gp("row of Y") as y, p.gp("row of R") as result:
            for block in range(self.x.column_blocks):
                pointers = ((x, self.x), (y, self.y), (result, self.result))
                for pointer, tensor in pointers:
                    p.point(pointer, tensor, 0, block * mlen)
                with p.repeat(self.x.rows, f"R = X + Y, column block {block}"):
                    p.V_ADD_VV(result, x, y)
                    for pointer, _ in pointers:
                        p.add(pointer, pointer, mlen)
