"""The one rounding of a linear layer: its f32 sums leave the array as bf16."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from plena_ref.analysis.roundings import F64, round_to_bf16, variance
from plena_ref.golden.linear import linear

STAGES: dict[str, str] = {"Y": "product, at the write-out"}


@dataclass(frozen=True)
class LinearRoundings:
    """The roundings of one linear layer (`analysis.roundings.Roundings`).

    Attributes:
        x: batch x seq x in_features, the values the machine starts from.
        w: in_features x out_features, the values the machine reads.
    """

    x: F64
    w: F64

    @property
    def stages(self) -> Mapping[str, str]:
        """`STAGES`."""
        return STAGES

    @cached_property
    def exact(self) -> F64:
        """The float64 golden as one head: batch x seq x 1 x out_features."""
        return linear(self.x, self.w)[:, :, None, :]

    def rounded(self, stages: Collection[str]) -> F64:
        """The golden, rounded or not."""
        return round_to_bf16(self.exact) if "Y" in stages else self.exact

    def variances(self) -> dict[str, F64]:
        """The closed form by stage."""
        return {"Y": variance(self.exact)}
