"""The roundings of a linear layer: its f32 sums leave the array as bf16, and a bias is added in bf16."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from plena_ref.analysis.roundings import F64, ResultRounding, round_to_bf16, variance
from plena_ref.golden.linear import linear

STAGES: dict[str, str] = {"Y": "product, at the write-out"}
BIASED_STAGES: dict[str, str] = STAGES | {"Y+b": "that and the bias"}


def linear_rounding(x: F64, w: F64) -> ResultRounding:
    """The model of one linear layer; its golden is one head, batch x seq x 1 x out_features.

    Args:
        x: batch x seq x in_features, the values the machine starts from.
        w: in_features x out_features, the values the machine reads.
    """
    return ResultRounding(STAGES, linear(x, w)[:, :, None, :])


@dataclass(frozen=True)
class BiasedLinearRoundings:
    """The roundings of one linear layer with bias (`analysis.roundings.Roundings`).

    Attributes:
        x: batch x seq x in_features, the values the machine starts from.
        w: in_features x out_features, the values the machine reads.
        bias: out_features, bf16 values.
    """

    x: F64
    w: F64
    bias: F64

    stages: ClassVar[Mapping[str, str]] = BIASED_STAGES

    @cached_property
    def product(self) -> F64:
        """The layer without its bias: batch x seq x 1 x out_features."""
        return linear(self.x, self.w)[:, :, None, :]

    @cached_property
    def exact(self) -> F64:
        """The float64 golden as one head: batch x seq x 1 x out_features."""
        return linear(self.x, self.w, self.bias)[:, :, None, :]

    def rounded(self, stages: Collection[str]) -> F64:
        """The layer with the named stages rounded."""
        product = round_to_bf16(self.product) if "Y" in stages else self.product
        result = product + self.bias
        return round_to_bf16(result) if "Y+b" in stages else result

    def variances(self) -> dict[str, F64]:
        """The closed form by stage."""
        return {"Y": variance(self.product), "Y+b": variance(self.exact)}
