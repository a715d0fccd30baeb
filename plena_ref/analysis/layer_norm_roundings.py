"""The roundings of LayerNorm: those of centring, those of RMSNorm on what it leaves, and the bias."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from plena_ref.analysis import rms_norm_roundings
from plena_ref.analysis.rms_norm_roundings import RmsNormRoundings, tree_sums
from plena_ref.analysis.roundings import F64, round_to_bf16, variance
from plena_ref.golden.layer_norm import centred, layer_norm

#: Those of RMSNorm, whose "mean" is that of the squares here.
STAGES: dict[str, str] = {
    "centre": "1/features, sums of rows and their means, each time that the mean is subtracted",
    "x-centre": "rows less their means, each time",
    **rms_norm_roundings.STAGES,
    "y+b": "that and the bias",
}
#: How often the mean of what is left is subtracted: once leaves a share of a mean that may be large.
CENTRINGS = 3


@dataclass(frozen=True)
class LayerNormRoundings:
    """The roundings of one LayerNorm (`analysis.roundings.Roundings`).

    Attributes:
        x: batch x seq x features, the values the machine starts from.
        weight, bias: features.
        eps: what is added to the variance.
        mlen: numbers that are summed before a rounding.
    """

    x: F64
    weight: F64
    bias: F64
    eps: float
    mlen: int

    stages: ClassVar[Mapping[str, str]] = STAGES

    @cached_property
    def exact(self) -> F64:
        """The float64 golden as one head: batch x seq x 1 x features."""
        return layer_norm(self.x, self.weight, self.bias, self.eps)[:, :, None, :]

    @cached_property
    def norm(self) -> RmsNormRoundings:
        """RMSNorm of the exact differences."""
        return RmsNormRoundings(centred(self.x), self.weight, self.eps, self.mlen)

    def differences(self, stages: Collection[str]) -> list[F64]:
        """X less its mean after each centring, before that one's rounding of differences."""

        def stage(name: str, value: F64 | np.float64) -> F64:
            return round_to_bf16(value) if name in stages else np.asarray(value)

        inverse = stage("centre", np.float64(1 / self.x.shape[-1]))
        found, left = [], self.x
        for _ in range(CENTRINGS):
            total = tree_sums(left, self.mlen, lambda sums: stage("centre", sums))[-1]
            found.append(left - stage("centre", total * inverse))
            left = stage("x-centre", found[-1])
        return found

    def rounded(self, stages: Collection[str]) -> F64:
        """LayerNorm with the named stages rounded."""
        left = self.differences(stages)[-1]
        left = round_to_bf16(left) if "x-centre" in stages else left
        result = replace(self.norm, x=left).rounded(stages) + self.bias
        return round_to_bf16(result) if "y+b" in stages else result

    def variances(self) -> dict[str, F64]:
        """The closed form by stage: an error of a difference is scaled, those of the norm are its own."""
        scale = (self.weight / np.sqrt((self.norm.x**2).mean(axis=-1, keepdims=True) + self.eps)) ** 2
        of_sums = sum(
            variance(level).sum(axis=-1, keepdims=True)
            for level in tree_sums(self.norm.x, self.mlen, lambda sums: sums)
        )
        of_mean = of_sums / self.x.shape[-1] ** 2
        of_differences = sum(variance(left) for left in self.differences(("centre", "x-centre")))
        return {
            "centre": (of_mean * scale)[:, :, None, :],
            "x-centre": (of_differences * scale)[:, :, None, :],
            **self.norm.variances(),
            "y+b": variance(self.exact),
        }
