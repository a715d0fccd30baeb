"""The roundings of LayerNorm: those of centring, those of RMSNorm on what it leaves, and the bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from plena_ref.analysis.rms_norm_roundings import RmsNormRoundings, tree_sums
from plena_ref.analysis.roundings import F64, OperatorRoundings, Rounder, variance
from plena_ref.golden.layer_norm import centred, layer_norm

#: How often the mean of what is left is subtracted: once leaves a share of a mean that may be large.
CENTRINGS = 3


@dataclass(frozen=True)
class LayerNormRoundings(OperatorRoundings):
    """The roundings of one LayerNorm.

    Attributes:
        x: batch x seq x features, the values the machine starts from.
        weight, bias: features.
        eps: what is added to the variance.
        mlen: numbers that are summed before a rounding.
    """

    #: Those of RMSNorm, whose "mean" is that of the squares here.
    stages: ClassVar[Mapping[str, str]] = {
        "centre": "1/features, sums of rows and their means, each time that the mean is subtracted",
        "x-centre": "rows less their means, each time",
        **RmsNormRoundings.stages,
        "y+b": "that and the bias",
    }

    x: F64
    weight: F64
    bias: F64
    eps: float
    mlen: int

    def golden(self) -> F64:
        """The centred rows by their standard deviation, times the weight, plus the bias."""
        return layer_norm(self.x, self.weight, self.bias, self.eps)

    @cached_property
    def norm(self) -> RmsNormRoundings:
        """RMSNorm of the exact differences."""
        return RmsNormRoundings(centred(self.x), self.weight, self.eps, self.mlen)

    def differences(self, rounded: Rounder) -> list[F64]:
        """X less its mean after each centring, before that one's rounding of differences."""
        inverse = rounded("centre", np.float64(1 / self.x.shape[-1]))
        found, left = [], self.x
        for _ in range(CENTRINGS):
            total = tree_sums(left, self.mlen, lambda sums: rounded("centre", sums))[-1]
            found.append(left - rounded("centre", total * inverse))
            left = rounded("x-centre", found[-1])
        return found

    def computed(self, rounded: Rounder) -> F64:
        """Centring, RMSNorm of what it leaves, and the bias."""
        left = rounded("x-centre", self.differences(rounded)[-1])
        return rounded("y+b", replace(self.norm, x=left).computed(rounded) + self.bias)

    def closed_form(self) -> dict[str, F64]:
        """An error of a difference is scaled, those of the norm are its own."""
        scale = (self.weight / np.sqrt((self.norm.x**2).mean(axis=-1, keepdims=True) + self.eps)) ** 2
        of_sums = sum(
            variance(level).sum(axis=-1, keepdims=True)
            for level in tree_sums(self.norm.x, self.mlen, lambda sums: sums)
        )
        of_mean = of_sums / self.x.shape[-1] ** 2
        of_differences = sum(variance(left) for left in self.differences(Rounder(("centre", "x-centre"))))
        return {
            "centre": of_mean * scale,
            "x-centre": of_differences * scale,
            **self.norm.closed_form(),
            "y+b": variance(self.exact),
        }
