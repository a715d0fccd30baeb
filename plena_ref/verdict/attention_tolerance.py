"""How far each element of attention may be from its golden, from the roundings of its own row.

Where scores are small, errors add up as in the closed form, and an element may be off by six of its own
standard deviations. Where a rounding of a score changes a weight by much, that form says nothing, and the
sound interval of `error_bound` judges the row. docs/accuracy.md derives both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden import attention as golden
from plena_ref.verdict import error_bound
from plena_ref.verdict.tolerance import ELEMENT_SIGMAS, FLOAT64_NOISE, SMALLEST_NORMAL

F64 = NDArray[np.float64]

#: What is flushed changes bits of a result only where it is more than this share of it.
FLUSH_SHARE = 2.0**-16
#: A weight after its roundings is at most so many times the exact one, where scores are not steep.
LARGER_WEIGHT = 1.5
#: The closed form is of first order: it holds while the roundings of a score change its weight by less.
FIRST_ORDER = 0.25


def flush_error(
    q: F64, k: F64, v: F64, causal: bool, key_tiles: int, window: int | None, sinks: F64 | None
) -> F64:
    """What flushing subnormals to zero may cost: a product a key, three sums a tile, and the result.

    Where P holds 1/l, a product is one of a weight that is at most 1, and loses the smallest normal number or
    all of itself, whichever is less.

    Args:
        q, k, v, causal, window, sinks: as for `golden.attention`.
        key_tiles: key tiles of a query tile, at most.

    Returns:
        batch x heads x seq x head_dim, or x 1 where no product is small enough to tell columns apart.
    """
    powers, total = _powers(q, k, causal, window, sinks)
    products = np.full_like(total, SMALLEST_NORMAL * k.shape[2])
    if SMALLEST_NORMAL * k.shape[2] > FLUSH_SHARE * np.abs(v).max():
        values = np.abs(np.repeat(v, q.shape[1] // v.shape[1], axis=1))
        weights = LARGER_WEIGHT * powers / total
        rows = [
            np.minimum(SMALLEST_NORMAL, weights[:, :, row, :, None] * values).sum(axis=2)
            for row in range(q.shape[2])
        ]
        products = np.stack(rows, axis=2)
    return products + SMALLEST_NORMAL * (1 + 3 * key_tiles / total)


def interval(
    q: F64,
    k: F64,
    v: F64,
    causal: bool,
    key_tiles: int,
    window: int | None,
    sinks: F64 | None,
    variance: F64,
    flushed: F64,
) -> tuple[F64, F64]:
    """The bounds between which every element of the machine's result must lie.

    Args:
        q, k, v, causal, window, sinks: as for `golden.attention`.
        key_tiles: key tiles of a query tile, at most.
        variance: of each element's error by the closed form, batch x heads x seq x head_dim.
        flushed: `flush_error` of the same problem.

    Returns:
        lower and upper, each batch x heads x seq x head_dim.
    """
    exact = golden.attention(q, k, v, causal, window, sinks)
    noise = FLOAT64_NOISE * golden.attention(q, k, np.abs(v), causal, window, sinks)
    reach = ELEMENT_SIGMAS * np.sqrt(variance) + noise + flushed
    lower, upper = exact - reach, exact + reach
    steep = steep_rows(q, k, causal, window)
    if steep.any():
        sound_lower, sound_upper = error_bound.interval(q, k, v, causal, key_tiles, window, sinks)
        lower = np.where(steep, sound_lower, lower)
        upper = np.where(steep, sound_upper, upper)
    return lower, upper


def steep_rows(q: F64, k: F64, causal: bool, window: int | None) -> NDArray[np.bool_]:
    """Rows in which the roundings of a visible score may change a weight by much, batch x heads x seq x 1.

    Args:
        q, k, causal, window: as for `golden.attention`.
    """
    visible = golden.visible_keys(q.shape[2], k.shape[2], causal, window)
    scores = np.abs(_scores(q, k))
    largest = np.where(visible, scores, 0).max(axis=-1, keepdims=True)
    steep: NDArray[np.bool_] = error_bound.SCORE_ROUNDINGS * error_bound.UNIT * largest > FIRST_ORDER
    return steep


def _powers(q: F64, k: F64, causal: bool, window: int | None, sinks: F64 | None) -> tuple[F64, F64]:
    """exp(score - largest score) of each key, 0 where hidden, and the sum of each row, its sink included."""
    visible = golden.visible_keys(q.shape[2], k.shape[2], causal, window)
    scores = np.where(visible, _scores(q, k), -np.inf)
    sink = np.full((q.shape[1], 1, 1), -np.inf) if sinks is None else sinks[:, None, None]
    top = np.maximum(scores.max(axis=-1, keepdims=True), sink)
    powers: F64 = np.exp(scores - top)
    return powers, powers.sum(axis=-1, keepdims=True) + np.exp(sink - top)


def _scores(q: F64, k: F64) -> F64:
    keys = np.repeat(k, q.shape[1] // k.shape[1], axis=1)
    return golden.softmax_scale(q.shape[3]) * (q @ keys.swapaxes(2, 3))
