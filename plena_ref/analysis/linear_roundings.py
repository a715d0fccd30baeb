"""The roundings of a linear layer: its f32 sums leave the array as bf16, and a bias is added in bf16."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from plena_ref.analysis.roundings import F64, OperatorRoundings, ResultRounding, Rounder, as_heads, variance
from plena_ref.golden.linear import linear

STAGES: dict[str, str] = {"Y": "product, at the write-out"}


def linear_rounding(x: F64, w: F64) -> ResultRounding:
    """The model of one linear layer; its golden is one head, batch x seq x 1 x out_features.

    Args:
        x: batch x seq x in_features, the values the machine starts from.
        w: in_features x out_features, the values the machine reads.
    """
    return ResultRounding(STAGES, as_heads(linear(x, w)))


@dataclass(frozen=True)
class BiasedLinearRoundings(OperatorRoundings):
    """The roundings of one linear layer with bias.

    Attributes:
        x: batch x seq x in_features, the values the machine starts from.
        w: in_features x out_features, the values the machine reads.
        bias: out_features, bf16 values.
    """

    stages: ClassVar[Mapping[str, str]] = STAGES | {"Y+b": "that and the bias"}

    x: F64
    w: F64
    bias: F64

    def golden(self) -> F64:
        """The layer."""
        return self.product + self.bias

    def computed(self, rounded: Rounder) -> F64:
        """The product, and its sum with the bias."""
        return rounded("Y+b", rounded("Y", self.product) + self.bias)

    @cached_property
    def product(self) -> F64:
        """The layer without its bias: batch x seq x out_features."""
        return linear(self.x, self.w)

    def closed_form(self) -> dict[str, F64]:
        """One rounding each."""
        return {"Y": variance(self.product), "Y+b": variance(self.exact)}
