"""The roundings of RMSNorm, a linear layer and the residual add in a row."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from plena_ref.analysis import linear_roundings, residual_add_roundings, rms_norm_roundings
from plena_ref.analysis.rms_norm_roundings import RmsNormRoundings
from plena_ref.analysis.roundings import F64, round_to_bf16, variance
from plena_ref.golden.linear import linear
from plena_ref.golden.residual_add import residual_add

#: Those of the three operators; the norm's own result is called n here.
STAGES: dict[str, str] = {
    ("n" if name == "y" else name): text
    for operator in (rms_norm_roundings, linear_roundings, residual_add_roundings)
    for name, text in operator.STAGES.items()
}


@dataclass(frozen=True)
class NormLinearResidualRoundings:
    """The roundings of R = X + norm(X) W (`analysis.roundings.Roundings`).

    Attributes:
        norm: of X.
        w: features x features, the values the machine reads.
    """

    norm: RmsNormRoundings
    w: F64

    stages: ClassVar[Mapping[str, str]] = STAGES

    @cached_property
    def product(self) -> F64:
        """norm(X) W in float64: batch x seq x 1 x features."""
        return linear(self.norm.exact, self.w)

    @cached_property
    def exact(self) -> F64:
        """The float64 golden as one head: batch x seq x 1 x features."""
        return residual_add(self.norm.x[:, :, None, :], self.product)

    def rounded(self, stages: Collection[str]) -> F64:
        """The three operators with the named stages rounded."""
        of_norm = {"y" if name == "n" else name for name in stages}
        product = linear(self.norm.rounded(of_norm), self.w)
        if "Y" in stages:
            product = round_to_bf16(product)
        result = residual_add(self.norm.x[:, :, None, :], product)
        return round_to_bf16(result) if "R" in stages else result

    def variances(self) -> dict[str, F64]:
        """The closed form by stage: an error of 1/rms scales a row of the product, the others add up."""
        found = {
            stage: relative[:, :, None, :] * self.product**2
            for stage, relative in self.norm.factor_variances().items()
        }
        for stage, own in self.norm.element_variances().items():
            found["n" if stage == "y" else stage] = linear(own, self.w**2)[:, :, None, :]
        return found | {"Y": variance(self.product), "R": variance(self.exact)}
