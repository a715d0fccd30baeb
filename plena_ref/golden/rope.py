"""Rotary position embedding in float64 (Su et al. 2021), in the rotate-half order of columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def angles(start: int, count: int, head_dim: int, theta: float) -> F64:
    """The angles of positions start..start+count-1: count x head_dim/2, radians.

    Frequency i turns by theta^(-2i/head_dim) a position.
    """
    frequencies = theta ** (-np.arange(0, head_dim, 2) / head_dim)
    return np.arange(start, start + count)[:, None] * frequencies


def rotate_half(x: F64) -> F64:
    """[lower, upper] half of the last axis to [-upper, lower]."""
    lower, upper = np.split(x, 2, axis=-1)
    return np.concatenate([-upper, lower], axis=-1)


def rope(x: F64, start: int, theta: float) -> F64:
    """Columns i and i + head_dim/2 of every head turn by angle i of the row's position.

    Args:
        x: batch x seq x heads x head_dim; row r of every batch is position start + r.
        start, theta: as for `angles`.
    """
    angle = angles(start, x.shape[1], x.shape[-1], theta)[:, None, :]
    cos, sin = (np.concatenate([table, table], axis=-1) for table in (np.cos(angle), np.sin(angle)))
    result: F64 = x * cos + rotate_half(x) * sin
    return result
