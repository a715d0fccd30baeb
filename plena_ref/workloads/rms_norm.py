"""RMSNorm: a row of activations by its root mean square, times a weight a feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plena_ref.analysis.rms_norm_roundings import RmsNormRoundings, sum_levels
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.rms_norm import CONSTANTS, NormOperands, RmsNormKernel
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.rounding_count import counted, rms_norm_error, rms_norm_flushed
from plena_ref.verdict.tolerance import Tolerance
from plena_ref.workloads.base import Answer, Placed
from plena_ref.workloads.norm_problem import LARGEST_WEIGHT, NormInputs, NormProblem, stage_norm

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


@dataclass(frozen=True)
class RmsNorm(NormProblem[RmsNormKernel]):
    """Y = X / sqrt(mean(X^2) + eps) * weight."""

    kernels: ClassVar = {"rms_norm": RmsNormKernel}

    def tolerance(self, hw: Hardware) -> Tolerance:
        """The largest error that the roundings of an element can make."""
        relative = rms_norm_error(sum_levels(self.features, hw.mlen))
        return counted(relative, float(rms_norm_flushed(LARGEST_WEIGHT, self.eps)))

    def draw(self, case: Case) -> NormInputs:
        """Activations of the case's kind, and weights about 1."""
        return self.draw_norm(case, np.random.default_rng(case.seed))

    def model(self, inputs: NormInputs, hw: Hardware) -> RmsNormRoundings:
        """The model of the roundings on given data."""
        weight = bf16_to_f32(inputs.weight[0]).astype(np.float64)
        return RmsNormRoundings(self.numbers(inputs.x), weight, self.eps, hw.mlen)

    def roundings(self, case: Case) -> RmsNormRoundings:
        """The model of the roundings on the case's data."""
        return self.model(self.draw(case), case.hardware)

    def place(self, case: Case, room: Room) -> Placed[RmsNormKernel]:
        """X, the weights and Y."""
        x, y = self.packed(room, "X", "Y")
        weight = room.vram.tensor("weight", 1, self.features)
        constants = room.fp_mem.take("the constants of RMSNorm", CONSTANTS)
        with room.scratch():
            kernel = RmsNormKernel(case.hardware, NormOperands(x.parent, weight, y.parent, constants), room)
        return Placed.as_head(kernel, y)

    def stage(self, case: Case, placed: Placed[RmsNormKernel], images: MemoryImages) -> Answer:
        """X and the weights in VRAM, 1/features and eps in FP_MEM."""
        stage_norm(self.draw(case), placed.operator, self.eps, images)
        return Answer(self.roundings(case).exact)
