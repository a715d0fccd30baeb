"""The error that an operator's roundings make, predicted without running any machine.

Two predictions of the largest error: the model of the roundings applied to the data, and a closed form that
knows only how large the values at each rounding are. Derived in docs/accuracy.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from plena_ref.analysis.layer_roundings import LayerRoundings
from plena_ref.analysis.roundings import F64, Roundings, sum_of


@dataclass(frozen=True)
class Prediction:
    """How large the errors of a result should be.

    Attributes:
        maximum: largest absolute error of the float64 operator with all of its roundings, over the data; of
            layers, whose roundings are drawn, the median of the largest of each draw.
        expected: the median of the largest of independent normal errors with the closed form's variances.
        variance: the closed form's variance of each element, batch x seq x heads x head_dim.
    """

    maximum: float
    expected: float
    variance: F64


def predict(roundings: Roundings, variance: F64 | None = None) -> Prediction:
    """Predict the errors against the float64 golden from the data.

    Args:
        roundings: the model.
        variance: the closed form's, where it is known already; None: the model computes it.
    """
    if variance is None:
        variance = sum_of(roundings.variances().values())
    return Prediction(_maximum(roundings), expected_maximum(variance), variance)


def _maximum(roundings: Roundings) -> float:
    """The model's largest error."""
    if isinstance(roundings, LayerRoundings):
        results = list(roundings.drawn())
    else:
        results = [roundings.rounded(tuple(roundings.stages))]
    return float(np.median([np.abs(result - roundings.exact).max() for result in results]))


#: log P(|z| > x) of a normal z, on a grid: numpy has no error function.
_GRID = np.linspace(0, 9, 4001)
_LOG_TAIL = np.log([math.erfc(x / math.sqrt(2)) for x in _GRID])


def expected_maximum(variance: F64) -> float:
    """The median of the largest of independent normal errors: the t with prod_i P(|e_i| <= t) = 1/2.

    Args:
        variance: of each error, any shape; 0 for an error that is not made.
    """
    sigma = np.sqrt(variance[variance > 0])
    if not sigma.size:
        return 0.0
    low, high = 0.0, float(_GRID[-1] * sigma.max())
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        tails = np.exp(np.interp(middle / sigma, _GRID, _LOG_TAIL))
        if np.log1p(-np.minimum(tails, 1 - 1e-12)).sum() < math.log(0.5):
            low = middle
        else:
            high = middle
    return high
