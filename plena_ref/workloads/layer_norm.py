"""LayerNorm: a row of activations less its mean, by its standard deviation, times a weight, plus a bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.layer_norm_roundings import CENTRINGS, LayerNormRoundings
from plena_ref.analysis.rms_norm_roundings import sum_levels
from plena_ref.analysis.roundings import as_heads
from plena_ref.kernels.layer_norm import LayerNormKernel
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.rms_norm import CONSTANTS, NormOperands
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.rules import RuleError
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict import layer_norm_bound
from plena_ref.workloads.base import Answer, Placed
from plena_ref.workloads.norm_problem import NormInputs, NormProblem, stage_norm
from plena_ref.workloads.placement import stage_rows

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


@dataclass(frozen=True)
class LayerNormInputs:
    """What LayerNorm works on, raw bf16.

    Attributes:
        norm: X and the weights.
        bias: 1 x features.
    """

    norm: NormInputs
    bias: NDArray[np.uint16]


def stage_layer_norm(
    inputs: LayerNormInputs, kernel: LayerNormKernel, eps: float, images: MemoryImages
) -> None:
    """X, weights, bias and constants of a LayerNorm; padding columns are 0."""
    stage_norm(inputs.norm, kernel.norm, eps, images)
    stage_rows(kernel.x, images.vram, inputs.norm.x, len(inputs.norm.x))
    stage_rows(kernel.bias, images.vram, inputs.bias, 1)


@dataclass(frozen=True)
class LayerNorm(NormProblem[LayerNormKernel]):
    """Y = (X - mean) / sqrt(variance + eps) * weight + bias.

    Every element is judged by its own interval: the errors that its roundings can make.

    Attributes:
        eps: what is added to the variance.
        mean: added to X, in standard deviations.
    """

    eps: float = 1e-6
    mean: float = 0.0

    kernels: ClassVar = {"layer_norm": LayerNormKernel}

    def describe(self) -> str:
        """The problem in a line, for people."""
        return f"{super().describe()}, mean {self.mean:g}"

    def check(self, case: Case) -> None:
        """Refuse also a mean that is no number (`RuleError`)."""
        super().check(case)
        if not np.isfinite(self.mean):
            raise RuleError(f"MEAN must be finite (got {self.mean:g})")

    def draw(self, case: Case) -> LayerNormInputs:
        """Activations of the case's kind and the mean, weights about 1, and biases."""
        rng = np.random.default_rng(case.seed)
        inputs = self.draw_norm(case, rng)
        shifted = bf16_to_f32(inputs.x).astype(np.float64) + self.mean * case.sigma
        bias = rng.standard_normal((1, self.features))
        return LayerNormInputs(NormInputs(bf16_from_float(shifted), inputs.weight), bf16_from_float(bias))

    def roundings(self, case: Case) -> LayerNormRoundings:
        """The model of the roundings on the case's data."""
        inputs = self.draw(case)
        weight, bias = (bf16_to_f32(one[0]).astype(np.float64) for one in (inputs.norm.weight, inputs.bias))
        return LayerNormRoundings(self.numbers(inputs.norm.x), weight, bias, self.eps, case.hardware.mlen)

    def place(self, case: Case, room: Room) -> Placed[LayerNormKernel]:
        """X, weights, bias and Y."""
        x, y = self.packed(room, "X", "Y")
        weight, bias = (room.vram.tensor(name, 1, self.features) for name in ("weight", "bias"))
        constants = room.fp_mem.take("the constants of LayerNorm", CONSTANTS)
        with room.scratch():
            operands = NormOperands(x.parent, weight, y.parent, constants)
            kernel = LayerNormKernel(case.hardware, operands, bias, room)
        return Placed.as_head(kernel, y)

    def stage(self, case: Case, placed: Placed[LayerNormKernel], images: MemoryImages) -> Answer:
        """X, weights and bias in VRAM, 1/features and eps in FP_MEM."""
        stage_layer_norm(self.draw(case), placed.operator, self.eps, images)
        model = self.roundings(case)
        levels = sum_levels(self.features, case.hardware.mlen)
        lower, upper = layer_norm_bound.interval(
            model.x, model.weight, model.bias, self.eps, levels, CENTRINGS
        )
        return Answer(model.exact, (as_heads(lower), as_heads(upper)))
