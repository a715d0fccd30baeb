"""The roundings of GELU, and what its formula leaves: x / (1 + exp(-u)), u a polynomial of x."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from plena_ref.analysis import sigmoid_roundings
from plena_ref.analysis.gelu_formula import FORMULAS, LOG_ODDS_X, GeluFormula, log_odds
from plena_ref.analysis.roundings import F64, OperatorRoundings, Rounder, round_to_bf16, variance
from plena_ref.analysis.sigmoid_roundings import negated_exponential, rounded_sigmoid, sigmoid_variances
from plena_ref.golden.gelu import gelu, gelu_tanh


@dataclass(frozen=True)
class GeluRoundings(OperatorRoundings):
    """The roundings of one GELU.

    Attributes:
        x: batch x seq x features, the values the machine starts from.
        form: `gelu` or `gelu_tanh`.
    """

    stages: ClassVar[Mapping[str, str]] = {
        "formula": "a polynomial in place of the log-odds of the normal distribution",
        "constants": "its coefficients",
        "x^2": "the square",
        "u": "the steps of the polynomial, the last of them times x",
        **sigmoid_roundings.STAGES,
        "y": "x times that",
    }

    x: F64
    form: str

    @property
    def formula(self) -> GeluFormula:
        """What is computed."""
        return FORMULAS[self.form]

    def golden(self) -> F64:
        """The form that the formula stands for."""
        return (gelu_tanh if self.form == "gelu_tanh" else gelu)(self.x)

    def _steps(self, rounded: Rounder) -> tuple[F64, list[F64]]:
        """q, and the numbers after each step of the polynomial, the last of them u; before their rounding."""
        coefficients = [rounded("constants", np.array(c)) for c in self.formula.coefficients]
        square = self.formula.square(self.x)
        q = rounded("x^2", square)
        steps = [coefficients[-1] * q]
        for number, coefficient in enumerate(reversed(coefficients[:-1])):
            if number:
                steps.append(rounded("u", steps[-1]) * q)
            steps.append(rounded("u", steps[-1]) + coefficient)
        steps.append(rounded("u", steps[-1]) * self.x)
        return square, steps

    def computed(self, rounded: Rounder) -> F64:
        """GELU step by step; without "formula", only its roundings move the argument."""
        with np.errstate(over="ignore"):
            u = rounded("u", self._steps(rounded)[1][-1])
        if self.form == "gelu" and "formula" not in rounded.stages:
            moved = log_odds(self.x) + (u - self.formula.argument(self.x))
            u = np.where(np.abs(self.x) < LOG_ODDS_X, moved, u)
        return rounded("y", self.x * rounded_sigmoid(u, rounded))

    def closed_form(self) -> dict[str, F64]:
        """Errors of u by the slope of the sigmoid, then relative ones."""
        u = self.formula.argument(self.x)
        e = negated_exponential(u)
        slope = (self.x * e / (1 + e) ** 2) ** 2
        missing = log_odds(self.x) - u if self.form == "gelu" else np.zeros_like(u)
        found = {"formula": missing**2 * slope}
        found |= {stage: of_u * slope for stage, of_u in self._argument_variances().items()}
        relative = sigmoid_variances(e)
        found |= {stage: share * (self.x / (1 + e)) ** 2 for stage, share in relative.items()}
        return found | {"y": variance(self.exact)}

    def _argument_variances(self) -> dict[str, F64]:
        """Variances of the argument, by stage; the errors of the constants are known."""
        coefficients = self.formula.coefficients
        q, steps = self._steps(Rounder(()))
        off = sum((float(round_to_bf16(np.float64(c))) - c) * q**i for i, c in enumerate(coefficients))
        by_square = sum(i * c * q ** (i - 1) for i, c in enumerate(coefficients) if i)
        found = variance(steps[-1])
        powers = [0] * 2 if len(coefficients) == 2 else [1, 1, 0, 0]
        for step, power in zip(steps[:-1], powers, strict=True):
            found = found + variance(step) * (q**power * self.x) ** 2
        return {
            "constants": (off * self.x) ** 2,
            "x^2": variance(self.x**2) * (q < self.formula.limit) * (by_square * self.x) ** 2,
            "u": found,
        }
