"""What the norms have in common as problems: eps, inputs, and how RMSNorm's are drawn and staged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plena_ref.kernels.rms_norm import EPSILON, INVERSE, RmsNormKernel
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.machine.rules import RuleError
from plena_ref.machine.state import MemoryImages
from plena_ref.workloads.base import Writer
from plena_ref.workloads.placement import stage_rows
from plena_ref.workloads.rows_problem import RowsProblem

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
    """What a norm works on, raw bf16.

    Attributes:
        x: batch*seq x features.
        weight: 1 x features.
    """

    x: NDArray[np.uint16]
    weight: NDArray[np.uint16]


def stage_norm(inputs: NormInputs, kernel: RmsNormKernel, eps: float, images: MemoryImages) -> None:
    """X, the weights and the constants of an RMSNorm; padding columns are 0."""
    stage_rows(kernel.x, images.vram, inputs.x, len(inputs.x))
    stage_rows(kernel.weight, images.vram, inputs.weight, 1)
    constants = {INVERSE: 1 / inputs.x.shape[1], EPSILON: eps}
    for word, value in constants.items():
        images.fpmem[kernel.constants + word] = bf16_from_float(np.float64(value))


@dataclass(frozen=True)
class NormProblem(RowsProblem[Writer]):
    """A problem that normalises rows. The result counts as one head.

    Attributes:
        features: of a row; means are over them.
        batch, seq: X has batch * seq rows.
        eps: what is added to the mean square.
    """

    eps: float = 1e-5

    def describe(self) -> str:
        """The problem in a line, for people."""
        return f"{super().describe()}, eps {self.eps:g}"

    def check(self, case: Case) -> None:
        """Refuse also an eps with which rows cannot be normalised (`RuleError`)."""
        super().check(case)
        if not EPS_MIN <= self.eps <= 1:
            raise RuleError(f"EPS must be between {EPS_MIN:g} and 1 (got {self.eps:g})")

    def draw_norm(self, case: Case, rng: np.random.Generator) -> NormInputs:
        """Activations of the case's kind, and weights about 1."""
        x = self.drawn(case, rng, "x")
        weight = 1 + WEIGHT_SIGMA * rng.standard_normal((1, self.features))
        return NormInputs(x, bf16_from_float(weight))
