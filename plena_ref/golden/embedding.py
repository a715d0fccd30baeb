"""The embedding in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def embedding(table: F64, ids: NDArray[np.int64]) -> F64:
    """Rows of a table (vocabulary x features) by token ids of any shape: ids' shape x features."""
    return table[ids]
