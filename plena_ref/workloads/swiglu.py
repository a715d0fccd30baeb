"""SwiGLU: the gated activation of a feed-forward block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.swiglu_roundings import SwigluRoundings
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.swiglu import SwigluKernel
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.rounding_count import swiglu_error
from plena_ref.workloads.base import Answer, Placed
from plena_ref.workloads.placement import stage_rows
from plena_ref.workloads.rows_problem import ACTIVATIONS, RowsProblem

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


@dataclass(frozen=True)
class Swiglu(RowsProblem):
    """Y = silu(gate) * up. The result counts as one head.

    Every element is judged by its own interval: the errors that its roundings can make.

    Attributes:
        features: of a row.
        batch, seq: gate and up have batch * seq rows.
    """

    kernels: ClassVar = {"swiglu": SwigluKernel}

    def draw(self, case: Case) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Gate and up, a row a position of each batch; raw bf16."""
        rng = np.random.default_rng(case.seed)
        shape = (self.batch * self.seq, self.features)
        gate, up = (
            bf16_from_float(ACTIVATIONS[case.data](rng, shape, case.sigma, name)) for name in ("gate", "up")
        )
        return gate, up

    def roundings(self, case: Case) -> SwigluRoundings:
        """The model of the roundings on the case's data."""
        values = (bf16_to_f32(bits).astype(np.float64) for bits in self.draw(case))
        return SwigluRoundings(*(rows.reshape(self.batch, self.seq, -1) for rows in values))

    def place(self, case: Case, room: Room) -> Placed:
        """Gate, up and Y."""
        gate, up, result = (
            room.vram.packed(name, self.batch, self.seq, self.features) for name in ("gate", "up", "Y")
        )
        with room.scratch():
            kernel = SwigluKernel(case.hardware, gate.parent, up.parent, result.parent, room)
        return Placed(kernel, result, result.parent.physical_cols)

    def stage(self, case: Case, placed: Placed, images: MemoryImages) -> Answer:
        """Gate and up in VRAM, padding columns 0."""
        kernel = placed.operator
        for tensor, rows in zip((kernel.gate, kernel.up), self.draw(case), strict=True):
            stage_rows(tensor, images.vram, rows, len(rows))
        model = self.roundings(case)
        bound = swiglu_error(model.gate, model.up)[:, :, None, :]
        return Answer(model.exact, (model.exact - bound, model.exact + bound))
