"""A picture of a cell's error: the largest |got - golden| in each field of a grid of rows by columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Most fields of a map down and across.
SIZE = 16
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def error_map(got: NDArray[np.float64], golden: NDArray[np.float64]) -> str:
    """The map as text: one line a row of fields, one digit of base 36 a field, by the largest error of all.

    Args:
        got, golden: batch x seq x heads x head_dim. Down the map go batches and their rows, across it heads
            and their columns.

    Returns:
        Lines with a "/" between them. "0" is no error, "z" the largest one or a NaN; what is not 0 is
        at least "1".
    """
    batch, seq, heads, head_dim = golden.shape
    errors = np.abs(got - golden).reshape(batch * seq, heads * head_dim)
    errors = np.where(np.isnan(errors), np.inf, errors)
    down, across = (np.linspace(0, n, min(SIZE, n) + 1).astype(int)[:-1] for n in errors.shape)
    fields = np.maximum.reduceat(np.maximum.reduceat(errors, down, axis=0), across, axis=1)
    top = fields.max()
    if not np.isfinite(top):
        steps = np.where(np.isfinite(fields), 0.0, 35.0)
    else:
        steps = np.ceil(35 * (fields / top)) if top else fields
    return "/".join("".join(_DIGITS[int(step)] for step in line) for line in steps)
