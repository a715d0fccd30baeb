"""How far bf16 may move a result of GELU: a sound interval for every element, for any data.

What is computed is x / (1 + exp(-u)), u = x * (c0 + c1 q + ...), q = min(x^2, limit), by Horner's rule. An
error of u moves the sigmoid between its values at either end; roundings after it are relative.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.swiglu import sigmoid
from plena_ref.verdict.rounding_count import SILU_FLUSHED, relative_error
from plena_ref.verdict.tolerance import SMALLEST_NORMAL

F64 = NDArray[np.float64]

#: Behind the argument: 1 + exp(-u), its reciprocal, times x; and exp(-u), by its share of 1 + exp(-u).
SIGMOID_ROUNDINGS = 4.0


def term_roundings(degree: int, power: int) -> int:
    """Roundings of one term of u: coefficient, squares, products, sums after it, and times x."""
    sums = degree if power == degree else power + 1
    return 1 + power + power + sums + 1


def interval(x: F64, coefficients: Sequence[float], limit: float, error: float) -> tuple[F64, F64]:
    """The bounds between which every element of the machine's result must lie.

    Args:
        x: the values the machine starts from.
        coefficients: of the powers of q.
        limit: the largest q.
        error: how far the formula is from what it stands for, at most.

    Returns:
        lower and upper, shaped as x.
    """
    q = np.minimum(x**2, limit)
    terms = np.stack([c * q**i * x for i, c in enumerate(coefficients)])
    errors = [relative_error(term_roundings(len(terms) - 1, i)) for i in range(len(terms))]
    off = np.tensordot(errors, np.abs(terms), axes=1)
    ends = [x * sigmoid(terms.sum(axis=0) + sign * off) for sign in (-1, 1)]
    after = relative_error(SIGMOID_ROUNDINGS)
    corners = [end + sign * after * np.abs(end) for end in ends for sign in (-1, 1)]
    room = error + SILU_FLUSHED + 2 * SMALLEST_NORMAL
    return np.min(corners, axis=0) - room, np.max(corners, axis=0) + room
