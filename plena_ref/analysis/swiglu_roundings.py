"""The roundings of SwiGLU: the steps of the sigmoid, and two products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from plena_ref.analysis import sigmoid_roundings
from plena_ref.analysis.roundings import F64, OperatorRoundings, Rounder, as_heads, variance
from plena_ref.analysis.sigmoid_roundings import negated_exponential, rounded_sigmoid, sigmoid_variances
from plena_ref.golden.swiglu import sigmoid, swiglu


@dataclass(frozen=True)
class SwigluRoundings(OperatorRoundings):
    """The roundings of one SwiGLU; u of the sigmoid is gate.

    Attributes:
        gate, up: batch x seq x features, the values the machine starts from.
    """

    stages: ClassVar[Mapping[str, str]] = {
        **sigmoid_roundings.STAGES,
        "silu": "gate times that",
        "y": "that times up",
    }

    gate: F64
    up: F64

    def golden(self) -> F64:
        """silu(gate) * up."""
        return swiglu(self.gate, self.up)

    def computed(self, rounded: Rounder) -> F64:
        """The steps of the sigmoid, and two products."""
        silu = rounded("silu", self.gate * rounded_sigmoid(self.gate, rounded))
        return rounded("y", silu * self.up)

    def closed_form(self) -> dict[str, F64]:
        """The sigmoid's errors are relative errors of the result."""
        relative = sigmoid_variances(negated_exponential(self.gate))
        of_result = {stage: as_heads(share) * self.exact**2 for stage, share in relative.items()}
        of_silu = variance(self.gate * sigmoid(self.gate)) * self.up**2
        return of_result | {"silu": of_silu, "y": variance(self.exact)}
