"""SwiGLU in float64 (Shazeer 2020): silu(gate) * up, silu(x) = x * sigmoid(x)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def sigmoid(x: F64) -> F64:
    """1 / (1 + exp(-x)), element by element; 0 where exp(-x) overflows."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def swiglu(gate: F64, up: F64) -> F64:
    """gate * sigmoid(gate) * up, element by element."""
    return gate * sigmoid(gate) * up
