"""Choosing the largest: top-k of logits, and the router of a mixture of experts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def top_k(logits: F64, count: int) -> tuple[F64, NDArray[np.int64]]:
    """Values and places of the `count` largest of the last axis, descending, equal ones by lower index.

    NaN counts as -infinity.
    """
    values = np.where(np.isnan(logits), -np.inf, logits)
    places = np.argsort(-values, axis=-1, kind="stable")[..., :count]
    return np.take_along_axis(values, places, axis=-1), places


def router_weights(logits: F64, count: int) -> tuple[F64, NDArray[np.int64]]:
    """Softmax over the `count` largest logits of a token, and which experts they are (Jiang et al. 2024)."""
    values, places = top_k(logits, count)
    with np.errstate(invalid="ignore"):
        weights = np.exp(values - values[..., :1])
    return weights / weights.sum(axis=-1, keepdims=True), places
