"""RMSNorm: a row of activations by its root mean square, times a weight a feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.rms_norm_roundings import RmsNormRoundings, sum_levels
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.rms_norm import CONSTANTS, EPSILON, INVERSE, RmsNormKernel
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.rules import RuleError
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.rounding_count import counted, rms_norm_error, rms_norm_flushed
from plena_ref.verdict.tolerance import Tolerance
from plena_ref.workloads.base import Answer, Placed
from plena_ref.workloads.placement import stage_rows
from plena_ref.workloads.rows_problem import ACTIVATIONS, RowsProblem

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case

#: Below this squares that are flushed would count, and 1/rms could exceed 2^20.
EPS_MIN = 1e-12
#: Standard deviation of the weights about 1.
WEIGHT_SIGMA = 0.25
#: What no weight exceeds.
LARGEST_WEIGHT = 1 + 6 * WEIGHT_SIGMA


@dataclass(frozen=True)
class NormInputs:
    """What RMSNorm works on, raw bf16.

    Attributes:
        x: batch*seq x features.
        weight: 1 x features.
    """

    x: NDArray[np.uint16]
    weight: NDArray[np.uint16]


def draw_norm(case: Case, rng: np.random.Generator, rows: int, features: int) -> NormInputs:
    """Activations of the case's kind, and weights about 1."""
    x = ACTIVATIONS[case.data](rng, (rows, features), case.sigma, "x")
    weight = 1 + WEIGHT_SIGMA * rng.standard_normal((1, features))
    return NormInputs(bf16_from_float(x), bf16_from_float(weight))


def norm_roundings(
    inputs: NormInputs, batch: int, features: int, eps: float, hw: Hardware
) -> RmsNormRoundings:
    """The model of an RMSNorm's roundings on its data."""
    x, weight = (bf16_to_f32(bits).astype(np.float64) for bits in (inputs.x, inputs.weight))
    return RmsNormRoundings(x.reshape(batch, -1, features), weight[0], eps, hw.mlen)


def stage_norm(inputs: NormInputs, kernel: RmsNormKernel, eps: float, images: MemoryImages) -> None:
    """X, the weights and the constants of an RMSNorm; padding columns are 0."""
    stage_rows(kernel.x, images.vram, inputs.x, len(inputs.x))
    stage_rows(kernel.weight, images.vram, inputs.weight, 1)
    constants = {INVERSE: 1 / inputs.x.shape[1], EPSILON: eps}
    for word, value in constants.items():
        images.fpmem[kernel.constants + word] = bf16_from_float(np.float64(value))


@dataclass(frozen=True)
class RmsNorm(RowsProblem):
    """Y = X / sqrt(mean(X^2) + eps) * weight. The result counts as one head.

    Attributes:
        features: of a row; the mean is over them.
        batch, seq: X has batch * seq rows.
        eps: what is added to the mean square.
    """

    eps: float = 1e-5

    kernels: ClassVar = {"rms_norm": RmsNormKernel}

    def describe(self) -> str:
        """The problem in a line, for people."""
        return f"{super().describe()}, eps {self.eps:g}"

    def check(self, case: Case) -> None:
        """Refuse what cannot be normalised.

        Raises:
            RuleError: names the rule.
        """
        super().check(case)
        if not EPS_MIN <= self.eps <= 1:
            raise RuleError(f"EPS must be between {EPS_MIN:g} and 1 (got {self.eps:g})")

    def tolerance(self, hw: Hardware) -> Tolerance:
        """The largest error that the roundings of an element can make."""
        relative = rms_norm_error(sum_levels(self.features, hw.mlen))
        return counted(relative, float(rms_norm_flushed(LARGEST_WEIGHT, self.eps)))

    def draw(self, case: Case) -> NormInputs:
        """Activations of the case's kind, and weights about 1."""
        return draw_norm(case, np.random.default_rng(case.seed), self.batch * self.seq, self.features)

    def roundings(self, case: Case) -> RmsNormRoundings:
        """The model of the roundings on the case's data."""
        return norm_roundings(self.draw(case), self.batch, self.features, self.eps, case.hardware)

    def place(self, case: Case, room: Room) -> Placed:
        """X, the weights and Y."""
        x = room.vram.packed("X", self.batch, self.seq, self.features)
        y = room.vram.packed("Y", self.batch, self.seq, self.features)
        weight = room.vram.tensor("weight", 1, self.features)
        constants = room.fp_mem.take("the constants of RMSNorm", CONSTANTS)
        with room.scratch():
            kernel = RmsNormKernel(case.hardware, x.parent, weight, y.parent, constants, room)
        return Placed(kernel, y, y.parent.physical_cols)

    def stage(self, case: Case, placed: Placed, images: MemoryImages) -> Answer:
        """X and the weights in VRAM, 1/features and eps in FP_MEM."""
        stage_norm(self.draw(case), placed.operator, self.eps, images)
        return Answer(self.roundings(case).exact)
