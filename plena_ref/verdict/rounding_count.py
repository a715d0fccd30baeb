"""Bounds that follow from counting roundings: how far a result may be off when each is the largest there is.

docs/accuracy.md counts the roundings of each operator.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.swiglu import sigmoid, swiglu
from plena_ref.verdict.error_bound import UNIT
from plena_ref.verdict.tolerance import Tolerance

F64 = NDArray[np.float64]

#: What flushed numbers and products leave, as long as no factor exceeds 2^20.
FLUSHED = 2.0**-100
#: Largest relative error of one rounding to f32.
F32_UNIT = 2.0**-24
#: Roundings that stand for sums in f32 and for second order.
F32_ROUNDINGS = 0.5
#: Of RMSNorm, behind the square root: sqrt, reciprocal, x/rms, times weight.
NORM_ROUNDINGS = 4.0
#: Of RMSNorm, before the square root, which halves them: the square, 1/features, times that, + eps.
MEAN_ROUNDINGS = 4.0
#: Of SwiGLU, besides exp(-gate): 1 + that, its reciprocal, times gate, times up.
SWIGLU_ROUNDINGS = 4.0
#: What is left of silu where exp(-gate) overflows or its reciprocal is flushed: below 128 * 2^-126.
SILU_FLUSHED = 2.0**-118


def relative_error(roundings: float) -> float:
    """The largest relative error that so many roundings in a row make."""
    return float(np.expm1(UNIT * (roundings + F32_ROUNDINGS)))


def rms_norm_error(sum_levels: int) -> float:
    """The largest relative error of RMSNorm; its sum of squares is a tree of so many levels."""
    return relative_error(NORM_ROUNDINGS + (MEAN_ROUNDINGS + sum_levels) / 2)


def counted(relative: float) -> Tolerance:
    """Every element within a relative error."""
    return Tolerance(atol=FLUSHED, rtol=relative, match_percent=100.0, outer=relative)


def counted_error(golden: F64, relative: float) -> F64:
    """The largest error of each element, by its largest relative error."""
    return relative * np.abs(golden) + FLUSHED


def product_error(x: F64, w: F64) -> F64:
    """The largest error of x w where x and w are exact: one rounding, and sums in f32 one after the other.

    A product passes through at most in_features additions and a tree; each rounds to F32_UNIT (Higham 2002,
    section 3.1).

    Args:
        x: ... x in_features.
        w: in_features x out_features, as the machine reads it.
    """
    spread = (x.shape[-1] + 1) * F32_UNIT * (np.abs(x) @ np.abs(w))
    return spread + UNIT * (np.abs(x @ w) + spread) + FLUSHED


def router_error(weights: F64, distances: F64) -> F64:
    """The largest error of softmax weights over the experts that were chosen.

    An exponential is off by the rounding of its argument, |distance| units, and its own; the sum by the mean
    of these; then come the roundings of sum, reciprocal and product.

    Args:
        weights: ... x chosen, in float64.
        distances: of the logits from the largest; -infinity has weight 0.
    """
    own = np.where(weights > 0, np.abs(distances), 0) + 1
    together = (weights * own).sum(axis=-1, keepdims=True)
    return np.expm1(UNIT * (own + together + 3 + F32_ROUNDINGS)) * weights + FLUSHED


def linear_error(x: F64, x_error: F64, w: F64) -> F64:
    """The largest error of x w, by the largest error of each element of x.

    Args:
        x, x_error: rows x in_features.
        w: in_features x out_features, as the machine reads it.
    """
    spread = (np.abs(x) * relative_error(0) + x_error) @ np.abs(w)
    return spread + relative_error(1) * (np.abs(x @ w) + spread) + FLUSHED


def sum_error(exact: F64, operand_error: F64) -> F64:
    """The largest error of a sum, by the largest error of its operands together."""
    return operand_error + relative_error(1) * (np.abs(exact) + operand_error) + FLUSHED


def swiglu_error(gate: F64, up: F64) -> F64:
    """The largest error of silu(gate) * up; exp(-gate) counts by its share of 1 + exp(-gate)."""
    roundings = SWIGLU_ROUNDINGS + (1 - sigmoid(gate))
    relative = np.expm1(UNIT * (roundings + F32_ROUNDINGS))
    return relative * np.abs(swiglu(gate, up)) + SILU_FLUSHED * (1 + np.abs(up))
