"""LayerNorm: Y = (X - mean) / sqrt(variance + eps) * weight + bias: RMSNorm of rows without their mean."""

from __future__ import annotations

from plena_ref.kernels.centring import CentringKernel
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.operator import RowsOperator
from plena_ref.kernels.program import Program
from plena_ref.kernels.rms_norm import INVERSE, RmsNormKernel
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region


class LayerNormKernel(RowsOperator):
    """LayerNorm on given tensors; Y may be X. Padding columns of X hold 0; those of Y become 0.

    Args:
        hw: the machine.
        x, y: rows x features.
        weight, bias: 1 x features; their padding columns hold 0.
        constants: FP_MEM word from which the host stages 1/features and eps, as for RMSNorm.
        room: where to take scratch from.

    Raises:
        LayoutError: a memory is full.
    """

    def __init__(
        self,
        hw: Hardware,
        x: VramTensor,
        weight: VramTensor,
        bias: VramTensor,
        y: VramTensor,
        constants: int,
        room: Room,
    ) -> None:
        self.x, self.bias, self.y = x, bias, y
        self.result = y
        with room.scratch():
            self.centring = CentringKernel(hw, x, y, constants + INVERSE, room)
        with room.scratch():
            self.norm = RmsNormKernel(hw, y, weight, y, constants, room, bias)

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
