"""The roundings of a sigmoid as the machine computes it: 1 / (1 + exp(-u))."""

from __future__ import annotations

import numpy as np

from plena_ref.analysis.roundings import F64, Rounder, relative_variance

STAGES: dict[str, str] = {
    "e": "exp(-u)",
    "1+e": "1 + exp(-u)",
    "sigmoid": "its reciprocal",
}
#: Exponents are clipped here, where exp is still a bf16 number and the sigmoid 0 or 1 to 10^-38.
EXPONENT_LIMIT = 88.0


def negated_exponential(u: F64) -> F64:
    """exp(-u)."""
    return np.exp(np.clip(-u, -EXPONENT_LIMIT, EXPONENT_LIMIT))


def rounded_sigmoid(u: F64, rounded: Rounder) -> F64:
    """The sigmoid of u, step by step."""
    total = rounded("1+e", 1 + rounded("e", negated_exponential(u)))
    return rounded("sigmoid", 1 / total)


def sigmoid_variances(e: F64) -> dict[str, F64]:
    """Variance of the relative error of a sigmoid by stage, from e = exp(-u)."""
    return {
        "e": relative_variance(e) * (e / (1 + e)) ** 2,
        "1+e": relative_variance(1 + e),
        "sigmoid": relative_variance(1 / (1 + e)),
    }
