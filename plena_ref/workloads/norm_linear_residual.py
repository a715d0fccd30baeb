"""RMSNorm, a linear layer and the residual add in one program: R = X + norm(X) W."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.norm_linear_residual_roundings import NormLinearResidualRoundings
from plena_ref.analysis.rms_norm_roundings import sum_levels
from plena_ref.golden.mxfp8 import quantised_rows
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.linear import LinearKernel, LinearShape, place_panels
from plena_ref.kernels.padding import ClearPadding
from plena_ref.kernels.residual_add import ResidualAddKernel
from plena_ref.kernels.rms_norm import CONSTANTS, NormOperands, RmsNormKernel
from plena_ref.kernels.sequence import OperatorSequence
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.rounding_count import linear_error, rms_norm_error, sum_error
from plena_ref.workloads.base import F64, Answer, Placed
from plena_ref.workloads.norm_problem import NormInputs, NormProblem, stage_norm
from plena_ref.workloads.placement import stage_panels
from plena_ref.workloads.rms_norm import RmsNorm

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


@dataclass(frozen=True)
class NormLinearResidual(NormProblem[OperatorSequence]):
    """R = X + norm(X) W; W is N(0, 1) * sigma / sqrt(features), quantised to MXFP8.

    Every element is judged by its own interval: the errors that the three operators' roundings can make.

    Attributes:
        features: of X, W and R.
        batch, seq: X has batch * seq rows.
        eps: what the norm adds to the mean square.
    """

    kernels: ClassVar = {"norm_linear_residual": OperatorSequence}

    @property
    def _layer(self) -> LinearShape:
        return LinearShape(self.batch, self.seq, self.features, self.features)

    def check(self, case: Case) -> None:
        """Refuse also what the linear layer does not do (`RuleError`)."""
        super().check(case)
        self._layer.check(case.hardware)

    def draw(self, case: Case) -> tuple[NormInputs, NDArray[np.uint16]]:
        """What the norm works on, and W, not yet quantised; raw bf16."""
        rng = np.random.default_rng(case.seed)
        inputs = self.draw_norm(case, rng)
        spread = case.sigma / np.sqrt(self.features)
        return inputs, bf16_from_float(rng.standard_normal((self.features, self.features)) * spread)

    def roundings(self, case: Case) -> NormLinearResidualRoundings:
        """The model of the roundings on the case's data."""
        inputs, w = self.draw(case)
        read = quantised_rows(bf16_to_f32(w).astype(np.float64), case.hardware.hbm_format("m", 0))
        norm = RmsNorm(self.features, self.batch, self.seq, self.eps)
        return NormLinearResidualRoundings(norm.model(inputs, case.hardware), read)

    def place(self, case: Case, room: Room) -> Placed[OperatorSequence]:
        """X, what the norm and the layer hand on, R, the weights of both."""
        hw = case.hardware
        x, normed, product, result = self.packed(room, "X", "N", "Y", "R")
        weight = room.vram.tensor("weight", 1, self.features)
        panels = place_panels(hw, self._layer, room)
        constants = room.fp_mem.take("the constants of RMSNorm", CONSTANTS)
        with room.scratch():
            norm = RmsNormKernel(hw, NormOperands(x.parent, weight, normed.parent, constants), room)
        clear = [ClearPadding(hw, product.parent)] if self.features % hw.mlen else []
        layer = LinearKernel(hw, self._layer, normed, panels, product)
        add = ResidualAddKernel(hw, x.parent, product.parent, result.parent)
        sequence = OperatorSequence(f"norm, linear, residual: {self}", [norm, *clear, layer, add])
        return Placed.as_head(sequence, result)

    def stage(self, case: Case, placed: Placed[OperatorSequence], images: MemoryImages) -> Answer:
        """X, the norm's weights and constants, and W."""
        inputs, w = self.draw(case)
        norm, *_, layer, _ = placed.operator.operators
        assert isinstance(norm, RmsNormKernel) and isinstance(layer, LinearKernel)
        stage_norm(inputs, norm, self.eps, images)
        read = stage_panels(layer.w, images.hbm, w, layer.together)
        model = self.roundings(case)
        return Answer.within(model.exact, self._bound(model, read, case.hardware))

    def _bound(self, model: NormLinearResidualRoundings, w: F64, hw: Hardware) -> F64:
        """The largest error of each element."""
        normed = model.norm.exact
        of_norm = np.abs(normed) * rms_norm_error(sum_levels(self.features, hw.mlen))
        return sum_error(model.exact, linear_error(normed, of_norm, w))
