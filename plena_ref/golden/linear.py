"""The linear layer in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def linear(x: F64, w: F64, bias: F64 | None = None) -> F64:
    """x (... x in_features) times w (in_features x out_features), and a bias an output feature."""
    return x @ w if bias is None else x @ w + bias
