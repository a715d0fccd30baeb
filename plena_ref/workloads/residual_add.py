"""The residual add: two tensors of activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.residual_add_roundings import residual_add_rounding
from plena_ref.analysis.roundings import ResultRounding
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.residual_add import ResidualAddKernel
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.rounding_count import FLUSHED_OF_SUM, counted, relative_error
from plena_ref.verdict.tolerance import Tolerance
from plena_ref.workloads.base import Answer, Placed
from plena_ref.workloads.placement import stage_rows
from plena_ref.workloads.rows_problem import ACTIVATIONS, RowsProblem

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


@dataclass(frozen=True)
class ResidualAdd(RowsProblem):
    """R = X + Y. The result counts as one head.

    Attributes:
        features: of a row.
        batch, seq: X and Y have batch * seq rows.
    """

    kernels: ClassVar = {"residual_add": ResidualAddKernel}

    def tolerance(self, hw: Hardware) -> Tolerance:
        """One rounding."""
        return counted(relative_error(1), FLUSHED_OF_SUM)

    def draw(self, case: Case) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """X and Y, a row a position of each batch; raw bf16."""
        rng = np.random.default_rng(case.seed)
        shape = (self.batch * self.seq, self.features)
        x, y = (bf16_from_float(ACTIVATIONS[case.data](rng, shape, case.sigma, name)) for name in "xy")
        return x, y

    def roundings(self, case: Case) -> ResultRounding:
        """The one rounding on the case's data."""
        values = (bf16_to_f32(bits).astype(np.float64) for bits in self.draw(case))
        return residual_add_rounding(*(rows.reshape(self.batch, self.seq, -1) for rows in values))

    def place(self, case: Case, room: Room) -> Placed:
        """X, Y and R."""
        x, y, result = (
            room.vram.packed(name, self.batch, self.seq, self.features) for name in ("X", "Y", "R")
        )
        kernel = ResidualAddKernel(case.hardware, x.parent, y.parent, result.parent)
        return Placed(kernel, result, result.parent.physical_cols)

    def stage(self, case: Case, placed: Placed, images: MemoryImages) -> Answer:
        """X and Y in VRAM, padding columns 0."""
        kernel = placed.operator
        for tensor, rows in zip((kernel.x, kernel.y), self.draw(case), strict=True):
            stage_rows(tensor, images.vram, rows, len(rows))
        return Answer(self.roundings(case).exact)
