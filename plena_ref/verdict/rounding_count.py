"""Bounds that follow from counting roundings: how far a result may be off when each is the largest there is.

docs/accuracy.md counts the roundings of each operator.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.swiglu import sigmoid, swiglu
from plena_ref.verdict.error_bound import UNIT
from plena_ref.verdict.tolerance import SMALLEST_NORMAL, Tolerance

F64 = NDArray[np.float64]

#: Largest relative error of one rounding to f32.
F32_UNIT = 2.0**-24
#: Roundings that stand for sums in f32 and for second order.
F32_ROUNDINGS = 0.5
#: Of RMSNorm, after the square root: sqrt, reciprocal, x/rms, times weight.
NORM_ROUNDINGS = 4.0
#: Of RMSNorm, before the square root, which halves them: the square, 1/features, times that, + eps.
MEAN_ROUNDINGS = 4.0
#: Of SwiGLU, besides exp(-gate): 1 + that, its reciprocal, times gate, times up.
SWIGLU_ROUNDINGS = 4.0
#: Below this gate, exp(-gate) overflows or its reciprocal is flushed; what is left of silu is below
#: 128 * 2^-126.
SILU_GATE = -80.0
SILU_FLUSHED = 128 * SMALLEST_NORMAL
#: Numbers of a sum of two that may be flushed: operands before and after they are made, and the sum.
FLUSHED_OF_SUM = 5


def relative_error(roundings: float) -> float:
    """The largest relative error that so many roundings in a row make."""
    return float(np.expm1(UNIT * (roundings + F32_ROUNDINGS)))


def rms_norm_flushed(weight: float | F64, eps: float) -> float | F64:
    """What RMSNorm may flush, as `counted` wants it: x, the quotient before its weight, the result."""
    result: float | F64 = 1 + np.abs(weight) * (1 + max(eps, SMALLEST_NORMAL) ** -0.5)
    return result


def rms_norm_error(sum_levels: int) -> float:
    """The largest relative error of RMSNorm; its sum of squares is a tree of so many levels."""
    return relative_error(NORM_ROUNDINGS + (MEAN_ROUNDINGS + sum_levels) / 2)


def counted(relative: float, flushed: float) -> Tolerance:
    """Every element within a relative error.

    Args:
        relative: the largest.
        flushed: numbers that may be flushed to zero, each times what multiplies it afterwards.
    """
    atol = SMALLEST_NORMAL * flushed
    return Tolerance(atol=atol, rtol=relative, match_percent=100.0, outer=relative)


def counted_error(golden: F64, relative: float, flushed: float | F64) -> F64:
    """The largest error of each element, by its largest relative error.

    Args:
        golden: any shape.
        relative: the largest error.
        flushed: numbers that may be flushed to zero, each times what multiplies it afterwards.
    """
    return relative * np.abs(golden) + SMALLEST_NORMAL * flushed


def product_flushed(w: F64) -> F64:
    """What flushing an element of x, a product or the result of x w to zero costs each column at most."""
    result: F64 = SMALLEST_NORMAL * (np.abs(w).sum(axis=0) + len(w) + 1)
    return result


def product_error(x: F64, w: F64) -> F64:
    """The largest error of x w where x and w are exact: one rounding, and sums in f32 one after the other.

    A product passes through at most in_features additions and a tree; each rounds to F32_UNIT (Higham 2002,
    section 3.1).

    Args:
        x: ... x in_features.
        w: in_features x out_features, as the machine reads it.
    """
    spread = (x.shape[-1] + 1) * F32_UNIT * (np.abs(x) @ np.abs(w))
    result: F64 = spread + UNIT * (np.abs(x @ w) + spread) + product_flushed(w)
    return result


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
    result: F64 = (
        np.expm1(UNIT * (own + together + 3 + F32_ROUNDINGS)) * weights + SMALLEST_NORMAL * weights.shape[-1]
    )
    return result


def linear_error(x: F64, x_error: F64, w: F64) -> F64:
    """The largest error of x w, by the largest error of each element of x.

    Args:
        x, x_error: rows x in_features.
        w: in_features x out_features, as the machine reads it.
    """
    spread = (np.abs(x) * relative_error(0) + x_error) @ np.abs(w)
    return spread + relative_error(1) * (np.abs(x @ w) + spread) + product_flushed(w)


def sum_error(exact: F64, operand_error: F64) -> F64:
    """The largest error of a sum, by the largest error of its operands together."""
    flushed = FLUSHED_OF_SUM * SMALLEST_NORMAL
    return operand_error + relative_error(1) * (np.abs(exact) + operand_error) + flushed


def swiglu_error(gate: F64, up: F64) -> F64:
    """The largest error of silu(gate) * up; exp(-gate) counts by its share of 1 + exp(-gate)."""
    roundings = SWIGLU_ROUNDINGS + (1 - sigmoid(gate))
    relative = np.expm1(UNIT * (roundings + F32_ROUNDINGS))
    silu = np.where(gate < SILU_GATE, SILU_FLUSHED, SMALLEST_NORMAL) * (1 + np.abs(up))
    result: F64 = relative * np.abs(swiglu(gate, up)) + silu + SMALLEST_NORMAL * (1 + np.abs(gate))
    return result
