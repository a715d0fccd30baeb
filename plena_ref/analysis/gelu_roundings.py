"""The roundings of GELU, and what its formula leaves: x / (1 + exp(-u)), u a polynomial of x."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from plena_ref.analysis.gelu_formula import FORMULAS, LOG_ODDS_X, GeluFormula, log_odds
from plena_ref.analysis.roundings import F64, relative_variance, round_to_bf16, variance
from plena_ref.golden.gelu import gelu, gelu_tanh

STAGES: dict[str, str] = {
    "formula": "a polynomial in place of the log-odds of the normal distribution",
    "constants": "its coefficients",
    "x^2": "the square",
    "u": "the steps of the polynomial, the last of them times x",
    "e": "exp(-u)",
    "1+e": "1 + exp(-u)",
    "sigmoid": "its reciprocal",
    "y": "x times that",
}
#: Exponents are clipped here, where exp is still a bf16 number and the sigmoid 0 or 1 to 10^-38.
EXPONENT_LIMIT = 88.0


@dataclass(frozen=True)
class GeluRoundings:
    """The roundings of one GELU (`analysis.roundings.Roundings`).

    Attributes:
        x: batch x seq x features, the values the machine starts from.
        form: `gelu` or `gelu_tanh`.
    """

    x: F64
    form: str

    stages: ClassVar[Mapping[str, str]] = STAGES

    @property
    def formula(self) -> GeluFormula:
        """What is computed."""
        return FORMULAS[self.form]

    @cached_property
    def exact(self) -> F64:
        """The float64 golden as one head: batch x seq x 1 x features."""
        return (gelu_tanh if self.form == "gelu_tanh" else gelu)(self.x)[:, :, None, :]

    def _steps(self, stages: Collection[str]) -> tuple[F64, list[F64]]:
        """q, and the numbers after each step of the polynomial, the last of them u; before their rounding."""

        def stage(name: str, value: F64) -> F64:
            return round_to_bf16(value) if name in stages else value

        coefficients = [stage("constants", np.array(c)) for c in self.formula.coefficients]
        square = self.formula.square(self.x)
        q = stage("x^2", square)
        steps = [coefficients[-1] * q]
        for number, coefficient in enumerate(reversed(coefficients[:-1])):
            if number:
                steps.append(stage("u", steps[-1]) * q)
            steps.append(stage("u", steps[-1]) + coefficient)
        steps.append(stage("u", steps[-1]) * self.x)
        return square, steps

    def rounded(self, stages: Collection[str]) -> F64:
        """GELU with the named stages rounded; without "formula", only its roundings move the argument."""

        def stage(name: str, value: F64) -> F64:
            return round_to_bf16(value) if name in stages else value

        with np.errstate(over="ignore"):
            u = stage("u", self._steps(stages)[1][-1])
        if self.form == "gelu" and "formula" not in stages:
            moved = log_odds(self.x) + (u - self.formula.argument(self.x))
            u = np.where(np.abs(self.x) < LOG_ODDS_X, moved, u)
        e = stage("e", np.exp(np.clip(-u, -EXPONENT_LIMIT, EXPONENT_LIMIT)))
        return stage("y", self.x * stage("sigmoid", 1 / stage("1+e", 1 + e)))[:, :, None, :]

    def variances(self) -> dict[str, F64]:
        """The closed form by stage: errors of u by the slope of the sigmoid, then relative ones."""
        u = np.clip(self.formula.argument(self.x), -EXPONENT_LIMIT, EXPONENT_LIMIT)
        e = np.exp(-u)
        slope = (self.x * e / (1 + e) ** 2) ** 2
        found = {name: of_u * slope for name, of_u in self._argument_variances().items()}
        missing = (
            log_odds(self.x) - self.formula.argument(self.x) if self.form == "gelu" else np.zeros_like(u)
        )
        found = {"formula": missing**2 * slope} | found
        relative = {
            "e": relative_variance(e) * (e / (1 + e)) ** 2,
            "1+e": relative_variance(1 + e),
            "sigmoid": relative_variance(1 / (1 + e)),
        }
        of_result = found | {name: share * (self.x / (1 + e)) ** 2 for name, share in relative.items()}
        return {name: one[:, :, None, :] for name, one in of_result.items()} | {"y": variance(self.exact)}

    def _argument_variances(self) -> dict[str, F64]:
        """Variances of the argument, by stage; the errors of the constants are known."""
        coefficients = self.formula.coefficients
        q, steps = self._steps(())
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
