"""The roundings of SwiGLU: the steps of the sigmoid, and two products."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from plena_ref.analysis.roundings import F64, relative_variance, round_to_bf16, variance
from plena_ref.golden.swiglu import sigmoid, swiglu

STAGES: dict[str, str] = {
    "e": "exp(-gate)",
    "1+e": "1 + exp(-gate)",
    "sigmoid": "its reciprocal",
    "silu": "gate times that",
    "y": "that times up",
}
#: Exponents are clipped here, where exp is still a bf16 number and the sigmoid 0 or 1 to 10^-38.
EXPONENT_LIMIT = 88.0


@dataclass(frozen=True)
class SwigluRoundings:
    """The roundings of one SwiGLU (`analysis.roundings.Roundings`).

    Attributes:
        gate, up: batch x seq x features, the values the machine starts from.
    """

    gate: F64
    up: F64

    stages: ClassVar[Mapping[str, str]] = STAGES

    @cached_property
    def exact(self) -> F64:
        """The float64 golden as one head: batch x seq x 1 x features."""
        return swiglu(self.gate, self.up)[:, :, None, :]

    @cached_property
    def exponential(self) -> F64:
        """exp(-gate)."""
        return np.exp(np.clip(-self.gate, -EXPONENT_LIMIT, EXPONENT_LIMIT))

    def rounded(self, stages: Collection[str]) -> F64:
        """SwiGLU with the named stages rounded."""

        def stage(name: str, value: F64) -> F64:
            return round_to_bf16(value) if name in stages else value

        total = stage("1+e", 1 + stage("e", self.exponential))
        silu = stage("silu", self.gate * stage("sigmoid", 1 / total))
        return stage("y", silu * self.up)[:, :, None, :]

    def variances(self) -> dict[str, F64]:
        """The closed form by stage; the sigmoid's errors are relative errors of the result."""
        e = self.exponential
        found = {
            "e": relative_variance(e) * (1 - sigmoid(self.gate)) ** 2,
            "1+e": relative_variance(1 + e),
            "sigmoid": relative_variance(1 / (1 + e)),
        }
        of_result = {name: relative[:, :, None, :] * self.exact**2 for name, relative in found.items()}
        of_silu = variance(self.gate * sigmoid(self.gate)) * self.up**2
        return of_result | {"silu": of_silu[:, :, None, :], "y": variance(self.exact)}
