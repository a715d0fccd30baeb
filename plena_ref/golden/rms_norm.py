"""RMSNorm in float64 (Zhang and Sennrich 2019)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def rms_norm(x: F64, weight: F64, eps: float) -> F64:
    """x / sqrt(mean(x^2) + eps) * weight over the last axis of x; one weight a feature."""
    mean_square = (x**2).mean(axis=-1, keepdims=True)
    result: F64 = x / np.sqrt(mean_square + eps) * weight
    return result
