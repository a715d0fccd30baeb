"""LayerNorm: Y = (X - mean) / sqrt(variance + eps) * weight + bias: RMSNorm of rows without their mean."""

from __future__ import annotations

from dataclasses import replace

from plena_ref.kernels.centring import CentringKernel
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.operator import RowsOperator
from plena_ref.kernels.program import Program
from plena_ref.kernels.rms_norm import INVERSE, NormOperands, RmsNormKernel
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region


class LayerNormKernel(RowsOperator):
    """LayerNorm on given tensors.

    Args:
        hw: the machine.
        operands: the tensors but for the bias, and the constants, as for RMSNorm; padding columns of the
            weight hold 0.
        bias: 1 x features, 0 in padding columns.
        room: where to take scratch from; `LayoutError` where a memory is full.
    """

    def __init__(self, hw: Hardware, operands: NormOperands, bias: VramTensor, room: Room) -> None:
        self.x, self.bias, self.y = operands.x, bias, operands.y
        self.result = operands.y
        with room.scratch():
            self.centring = CentringKernel(hw, self.x, self.y, operands.constants + INVERSE, room)
        with room.scratch():
            self.norm = RmsNormKernel(hw, replace(operands, x=self.y, bias=bias), room)

    @property
    def title(self) -> str:
        """What it does."""
        return f"LayerNorm of {self.x.rows} rows of {self.x.cols} features"

    def scratch(self) -> list[Region]:
        """That of both steps."""
        return [*self.centring.scratch(), *self.norm.scratch()]

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        self.centring.emit(p)
        self.norm.emit(p)
