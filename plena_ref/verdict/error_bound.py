"""How far bf16 may move a result of attention: a sound interval for every element, for any data.

A weight that the machine computes is exp(s_j + d_j) with |d_j| <= e_j, times a factor common to its row. So
a result, sum w_j v_j / sum w_j, lies between the extremes of that ratio over the box of weights; the
roundings after the weights move it by a few units of the largest value that it is a mean of.
docs/accuracy.md derives the numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden import attention as golden

F64 = NDArray[np.float64]

#: Largest relative error of one rounding to bf16 (8 significant bits).
UNIT = 2.0**-8
#: Roundings of a score: the softmax scale, the scaled query or score, the write-out; and f32 sums and second
#: order in half of one.
SCORE_ROUNDINGS = 3.5
#: Relative roundings of a weight that numerator and denominator share: P.
WEIGHT_ROUNDINGS = 1.0
#: Roundings after the weights: a tile adds at most l*r, + row sum, O*r, PV, + PV; the first has fewer,
#: which leaves room for 1/l, O/l and second order.
TILE_ROUNDINGS = 5.0
#: Everything below this is as good as zero: flushed subnormals, of which a result sums a few hundred.
TINY = 2.0**-110
#: Exponents are clipped here, so that products of exponentials stay finite in float64.
EXPONENT_LIMIT = 300.0


def _extreme(values: F64, low: F64, high: F64) -> F64:
    """The largest sum(w*v)/sum(w) over low <= w <= high.

    The extreme gives the largest values their high weights and the others their low ones; which is best is
    found by trying every cut of the sorted values.

    Args:
        values: keys x head_dim.
        low, high: rows x keys, 0 <= low <= high, each row of `low` with a positive element.

    Returns:
        rows x head_dim.
    """
    order = np.argsort(-values, axis=0)
    best = np.full((low.shape[0], values.shape[1]), -np.inf)
    for column in range(values.shape[1]):
        v = values[order[:, column], column]
        lo, hi = low[:, order[:, column]], high[:, order[:, column]]
        extra = hi - lo
        numerator = (lo * v).sum(axis=1)[:, None] + np.cumsum(extra * v, axis=1)
        denominator = lo.sum(axis=1)[:, None] + np.cumsum(extra, axis=1)
        best[:, column] = (numerator / denominator).max(axis=1)
    return best


def interval(
    q: F64,
    k: F64,
    v: F64,
    causal: bool,
    key_tiles: int,
    window: int | None = None,
    sinks: F64 | None = None,
) -> tuple[F64, F64]:
    """The bounds between which every element of the machine's result must lie.

    Args:
        q, k, v, causal, window, sinks: as for `golden.attention`.
        key_tiles: key tiles of a query tile, at most.

    Returns:
        lower and upper, each batch x heads x seq x head_dim.
    """
    k, v = (np.repeat(tensor, q.shape[1] // k.shape[1], axis=1) for tensor in (k, v))
    visible = golden.visible_keys(q.shape[2], k.shape[2], causal, window)
    roundings = np.expm1(UNIT * TILE_ROUNDINGS * key_tiles)
    lower, upper = np.empty(q.shape), np.empty(q.shape)
    for batch, head in np.ndindex(q.shape[:2]):
        keys, values = k[batch, head], v[batch, head]
        scale = golden.softmax_scale(q.shape[3])
        scores = scale * q[batch, head] @ keys.T
        size = scale * np.abs(q[batch, head]) @ np.abs(keys).T
        error = SCORE_ROUNDINGS * UNIT * size + TINY
        logits = np.where(visible, scores, -np.inf)
        if sinks is not None:
            values = np.vstack([values, np.zeros(values.shape[1])])
            logits = np.hstack([logits, np.full((len(logits), 1), sinks[head])])
            error = np.hstack([error, np.zeros((len(error), 1))])
        seen = np.isfinite(logits)
        worst = np.where(seen, error, 0).max(axis=1, keepdims=True)
        distance = np.where(seen, logits.max(axis=1, keepdims=True) - logits, 0)
        error = error + UNIT * (1.5 * (distance + error + worst) + WEIGHT_ROUNDINGS)
        base = np.where(seen, logits - error, -np.inf).max(axis=1, keepdims=True)
        low, high = (
            np.where(seen, np.exp(np.clip(logits + sign * error - base, -800, EXPONENT_LIMIT)), 0)
            for sign in (-1, 1)
        )
        reach = roundings * _extreme(np.abs(values), low, high) + TINY
        upper[batch, head] = _extreme(values, low, high) + reach
        lower[batch, head] = -_extreme(-values, low, high) - reach
    return lower, upper
