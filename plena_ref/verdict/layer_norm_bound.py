"""How far bf16 may move a result of LayerNorm: a sound interval for every element, for any data.

Derived in docs/accuracy.md. Bounds of the errors go through the steps of the operator row by row: centring,
several times, then the variance, and the products.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.layer_norm import centred
from plena_ref.verdict.rounding_count import relative_error
from plena_ref.verdict.tolerance import SMALLEST_NORMAL

F64 = NDArray[np.float64]

#: Of a mean, besides the levels of its sum: 1/features, and times that.
MEAN_ROUNDINGS = 2.0
#: Of the power: the square, 1/features, times that, + eps; besides the levels of its sum.
POWER_ROUNDINGS = 4.0
#: Behind the power: square root, reciprocal, x times that, times weight.
NORM_ROUNDINGS = 4.0


def _row_mean(x: F64) -> F64:
    result: F64 = x.mean(axis=-1, keepdims=True)
    return result


def _centring_errors(x: F64, sum_levels: int, centrings: int) -> tuple[F64, F64]:
    """The largest errors of x - mean: what a row has in common (... x 1), and what each element adds."""
    one, of_mean = relative_error(1), relative_error(MEAN_ROUNDINGS + sum_levels)
    size, distance = np.abs(x), np.abs(centred(x))
    own = np.zeros_like(x)
    for _ in range(centrings):
        common = _row_mean(own) + of_mean * _row_mean(size)
        own = own + one * (distance + common + own)
        size = distance + common + own
    return common, own


def interval(x: F64, weight: F64, bias: F64, eps: float, sum_levels: int, centrings: int) -> tuple[F64, F64]:
    """The bounds between which every element of the machine's result must lie.

    Args:
        x: ... x features, the values the machine starts from.
        weight, bias: features.
        eps: what is added to the variance.
        sum_levels: roundings of a sum over a row.
        centrings: how often the mean of what is left is subtracted.

    Returns:
        lower and upper, shaped as x.
    """
    difference = centred(x)
    common, own = _centring_errors(x, sum_levels, centrings)
    # The differences sum to 0, so what a row has in common moves their power in second order only.
    moved = _row_mean(2 * np.abs(difference) * own + (common + own) ** 2)
    power, of_power = _row_mean(difference**2), relative_error(POWER_ROUNDINGS + sum_levels)
    most = (power + moved + eps) * (1 + of_power)
    least = (np.maximum(power - moved, 0) + eps) / (1 + of_power)
    after = relative_error(NORM_ROUNDINGS)
    corners = [
        (difference + sign * (common + own)) / np.sqrt(bound) * weight
        for sign in (-1, 1)
        for bound in (least, most)
    ]
    corners = [corner + sign * after * np.abs(corner) for corner in corners for sign in (-1, 1)]
    lower, upper = np.min(corners, axis=0) + bias, np.max(corners, axis=0) + bias
    last = relative_error(1)
    # x, its mean and each centring before the power; then the product, and the sum with the bias.
    before = (3 + 2 * centrings) / np.sqrt(least)
    flushed = SMALLEST_NORMAL * (2 + np.abs(weight) * (1 + before))
    return lower - last * np.abs(lower) - flushed, upper + last * np.abs(upper) + flushed
