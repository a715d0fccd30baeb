"""GELU in float64 (Hendrycks and Gimpel 2016), in its exact form and the approximation with tanh."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: Of the approximation with tanh: 0.5 x (1 + tanh(SCALE (x + CUBIC x^3))).
SCALE, CUBIC = math.sqrt(2 / math.pi), 0.044715

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def normal_share(x: F64) -> F64:
    """The share of a standard normal distribution below x, to full relative precision in both tails."""
    result: F64 = 0.5 * _erfc(-x / math.sqrt(2))
    return result


def gelu(x: F64) -> F64:
    """x * normal_share(x), element by element; its limit 0 at -infinity."""
    finite = np.maximum(x, np.finfo(np.float64).min)
    return finite * normal_share(finite)


def gelu_tanh(x: F64) -> F64:
    """0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), element by element; its limit 0 at -infinity.

    Written as x / (1 + exp(-2 ...)), which keeps the left tail.
    """
    with np.errstate(over="ignore"):
        finite = np.maximum(x, np.finfo(np.float64).min)
        result: F64 = finite / (1 + np.exp(-2 * SCALE * (finite + CUBIC * finite**3)))
        return result
