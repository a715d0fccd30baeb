"""The residual add: two tensors of activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from plena_ref.analysis.residual_add_roundings import residual_add_rounding
from plena_ref.analysis.roundings import ResultRounding
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.residual_add import ResidualAddKernel
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.rounding_count import FLUSHED_OF_SUM, counted, relative_error
from plena_ref.verdict.tolerance import Tolerance
from plena_ref.workloads.base import Answer, Placed
from plena_ref.workloads.elementwise_problem import ElementwiseProblem

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


@dataclass(frozen=True)
class ResidualAdd(ElementwiseProblem[ResidualAddKernel]):
    """R = X + Y."""

    kernels: ClassVar = {"residual_add": ResidualAddKernel}
    operands: ClassVar = ("x", "y")

    def tolerance(self, hw: Hardware) -> Tolerance:
        """One rounding."""
        return counted(relative_error(1), FLUSHED_OF_SUM)

    def roundings(self, case: Case) -> ResultRounding:
        """The one rounding on the case's data."""
        return residual_add_rounding(*self.values(case))

    def place(self, case: Case, room: Room) -> Placed[ResidualAddKernel]:
        """X, Y and R."""
        x, y, result = self.packed(room, "X", "Y", "R")
        return Placed.as_head(ResidualAddKernel(case.hardware, x.parent, y.parent, result.parent), result)

    def stage(self, case: Case, placed: Placed[ResidualAddKernel], images: MemoryImages) -> Answer:
        """X and Y in VRAM."""
        self.stage_operands(case, (placed.operator.x, placed.operator.y), images)
        return Answer(self.roundings(case).exact)
