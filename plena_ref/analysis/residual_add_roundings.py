"""The one rounding of a residual add."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from plena_ref.analysis.roundings import F64, round_to_bf16, variance
from plena_ref.golden.residual_add import residual_add

STAGES: dict[str, str] = {"R": "the sum"}


@dataclass(frozen=True)
class ResidualAddRoundings:
    """The roundings of one residual add (`analysis.roundings.Roundings`).

    Attributes:
        x, y: batch x seq x features, the values the machine starts from.
    """

    x: F64
    y: F64

    @property
    def stages(self) -> Mapping[str, str]:
        """`STAGES`."""
        return STAGES

    @cached_property
    def exact(self) -> F64:
        """The float64 golden as one head: batch x seq x 1 x features."""
        return residual_add(self.x, self.y)[:, :, None, :]

    def rounded(self, stages: Collection[str]) -> F64:
        """The golden, rounded or not."""
        return round_to_bf16(self.exact) if "R" in stages else self.exact

    def variances(self) -> dict[str, F64]:
        """The closed form by stage."""
        return {"R": variance(self.exact)}
