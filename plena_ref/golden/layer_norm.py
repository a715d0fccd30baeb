"""LayerNorm in float64 (Ba et al. 2016)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.rms_norm import rms_norm

F64 = NDArray[np.float64]


def centred(x: F64) -> F64:
    """x less its mean over the last axis."""
    result: F64 = x - x.mean(axis=-1, keepdims=True)
    return result


def layer_norm(x: F64, weight: F64, bias: F64, eps: float) -> F64:
    """(x - mean) / sqrt(variance + eps) * weight + bias over the last axis; a weight and a bias a feature."""
    return rms_norm(centred(x), weight, eps) + bias
