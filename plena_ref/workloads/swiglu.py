"""SwiGLU: the gated activation of a feed-forward block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from plena_ref.analysis.roundings import as_heads
from plena_ref.analysis.swiglu_roundings import SwigluRoundings
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.swiglu import SwigluKernel
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.rounding_count import swiglu_error
from plena_ref.workloads.base import Answer, Placed
from plena_ref.workloads.elementwise_problem import ElementwiseProblem

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


@dataclass(frozen=True)
class Swiglu(ElementwiseProblem[SwigluKernel]):
    """Y = silu(gate) * up.

    Every element is judged by its own interval: the errors that its roundings can make.
    """

    kernels: ClassVar = {"swiglu": SwigluKernel}
    operands: ClassVar = ("gate", "up")

    def roundings(self, case: Case) -> SwigluRoundings:
        """The model of the roundings on the case's data."""
        return SwigluRoundings(*self.values(case))

    def place(self, case: Case, room: Room) -> Placed[SwigluKernel]:
        """Gate, up and Y."""
        gate, up, result = self.packed(room, "gate", "up", "Y")
        with room.scratch():
            kernel = SwigluKernel(case.hardware, gate.parent, up.parent, result.parent, room)
        return Placed.as_head(kernel, result)

    def stage(self, case: Case, placed: Placed[SwigluKernel], images: MemoryImages) -> Answer:
        """Gate and up in VRAM."""
        self.stage_operands(case, (placed.operator.gate, placed.operator.up), images)
        model = self.roundings(case)
        return Answer.within(model.exact, as_heads(swiglu_error(model.gate, model.up)))
