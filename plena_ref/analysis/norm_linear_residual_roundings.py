"""The roundings of RMSNorm, a linear layer and the residual add in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from plena_ref.analysis import linear_roundings, residual_add_roundings
from plena_ref.analysis.rms_norm_roundings import RmsNormRoundings
from plena_ref.analysis.roundings import F64, OperatorRoundings, Rounder, variance
from plena_ref.golden.linear import linear
from plena_ref.golden.residual_add import residual_add

#: The stages of RMSNorm; its own result is called n here.
NORM_STAGES: dict[str, str] = {
    ("n" if name == "y" else name): text for name, text in RmsNormRoundings.stages.items()
}


@dataclass(frozen=True)
class NormLinearResidualRoundings(OperatorRoundings):
    """The roundings of R = X + norm(X) W.

    Attributes:
        norm: of X.
        w: features x features, the values the machine reads.
    """

    stages: ClassVar[Mapping[str, str]] = {
        **NORM_STAGES,
        **linear_roundings.STAGES,
        **residual_add_roundings.STAGES,
    }

    norm: RmsNormRoundings
    w: F64

    @cached_property
    def product(self) -> F64:
        """norm(X) W in float64: batch x seq x features."""
        return linear(self.norm.golden(), self.w)

    def golden(self) -> F64:
        """X + norm(X) W."""
        return residual_add(self.norm.x, self.product)

    def computed(self, rounded: Rounder) -> F64:
        """The three operators one after another."""
        of_norm = Rounder({"y" if stage == "n" else stage for stage in rounded.stages})
        product = rounded("Y", linear(self.norm.computed(of_norm), self.w))
        return rounded("R", residual_add(self.norm.x, product))

    def closed_form(self) -> dict[str, F64]:
        """An error of 1/rms scales a row of the product, the others add up."""
        relative = self.norm.factor_variances()
        found = {stage: one * self.product**2 for stage, one in relative.items()}
        for stage, own in self.norm.element_variances().items():
            found["n" if stage == "y" else stage] = linear(own, self.w**2)
        return found | {"Y": variance(self.product), "R": variance(self.exact)}
