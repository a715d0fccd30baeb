"""The error that a case's roundings make, predicted without running any machine. Derived in docs/accuracy.md.

Two predictions of the largest error: the model of the roundings applied to the case's data, and a closed form
that knows only how large the values at each rounding are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.rounding_model import STAGES, attention, initial_maximum, round_to_bf16, visible
from plena_ref.golden import attention as golden
from plena_ref.kernels.tiling import KeyTile, QueryTile, query_tiles
from plena_ref.workloads.cases import Case, block_tiles, draw_inputs, staged_keys_and_values

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """The largest absolute error of a case's result.

    Attributes:
        maximum: of float64 attention with all of the kernel's roundings, over the case's data.
        expected: the median of the largest of independent normal errors with the closed form's variances.
    """

    maximum: float
    expected: float


def predict(case: Case) -> Prediction:
    """Predict the largest error against the float64 golden from the case's inputs."""
    inputs = draw_inputs(case)
    k, v = staged_keys_and_values(case)
    exact = golden.attention(inputs.q, k, v, case.causal, case.window, inputs.sinks)
    rounded = attention(case, inputs.q, k, v, STAGES, inputs.sinks)
    variances = rounding_variances(case, inputs.q, k, v, inputs.sinks)
    return Prediction(float(np.abs(rounded - exact).max()), expected_maximum(sum(variances.values())))


def rounding_variance(x: F64) -> F64:
    """Variance of the error of rounding `x` to bf16: uniform over a step of 2^(exponent - 7)."""
    _, exponent = np.frexp(np.where(x == 0, 1.0, x))
    return np.where(x == 0, 0.0, np.ldexp(1.0, 2 * (exponent - 8)) / 12)


def rounding_variances(case: Case, q: F64, k: F64, v: F64, sinks: F64 | None = None) -> dict[str, F64]:
    """Variance of each output element's error by the stage that makes it, all from float64 attention.

    A score's error d changes the output by p*d*(v - o) (first order), and so does a relative error of P. A
    relative error of a rescale factor does that for all keys of earlier blocks. The roundings of l, PV, 1/l
    and O are errors of the output itself. All are taken as independent and uniform over a rounding step, and
    none is made where the float64 value is a bf16 value.

    Args:
        case: shape and machine.
        q: batch x heads x seq x head_dim.
        k, v: batch x kv_heads x kv_seq x head_dim.
        sinks: a logit a query head, or None.

    Returns:
        By the keys of `rounding_model.STAGES`, each batch x heads x seq x head_dim.
    """
    k, v = (np.repeat(tensor, case.shape.group, axis=1) for tensor in (k, v))
    parts: dict[str, list[F64]] = {stage: [] for stage in STAGES}
    for tile in query_tiles(case.shape, case.hardware.mlen):
        rows = q[:, :, tile.index * case.hardware.mlen :][:, :, : tile.rows]
        for stage, variance in _tile_variances(case, tile, rows, k, v, sinks).items():
            parts[stage].append(variance)
    return {stage: np.concatenate(variances, axis=2) for stage, variances in parts.items()}


@dataclass(frozen=True)
class _Step:
    """One block of key tiles in float64: scores (-inf where hidden), keys, values, running maximum."""

    tiles: tuple[KeyTile, ...]
    scores: F64
    keys: F64
    values: F64
    old_maximum: F64
    maximum: F64


def _steps(case: Case, tile: QueryTile, queries: F64, k: F64, v: F64, maximum: F64) -> list[_Step]:
    steps = []
    for block in tile.key_blocks(block_tiles(case)):
        first = block.tiles[0].index * case.hardware.mlen
        count = sum(key.keys for key in block.tiles)
        keys, values = (tensor[:, :, first : first + count] for tensor in (k, v))
        seen = np.concatenate([visible(tile, key) for key in block.tiles], axis=1)
        scores = np.where(seen, queries @ keys.swapaxes(2, 3), -np.inf)
        old, maximum = maximum, np.maximum(maximum, scores.max(axis=-1, keepdims=True))
        steps.append(_Step(block.tiles, scores, keys, values, old, maximum))
    return steps


def _tile_variances(
    case: Case, tile: QueryTile, rows: F64, k: F64, v: F64, sinks: F64 | None
) -> dict[str, F64]:
    """`rounding_variances` of one query tile: `rows` are its queries, k and v have a head for each of Q's."""
    scale = golden.softmax_scale(case.head_dim)
    queries = scale * rows
    start = np.broadcast_to(initial_maximum(case, sinks)[:, None, None], (*rows.shape[:3], 1))
    steps = _steps(case, tile, queries, k, v, start)
    top = steps[-1].maximum
    running = np.zeros_like(start) if sinks is None else np.ones_like(start)
    total = running * np.exp(start - top) + sum(
        np.exp(step.scores - top).sum(axis=-1, keepdims=True) for step in steps
    )
    o = sum(np.exp(step.scores - top) @ step.values for step in steps) / total

    def apart(weights: F64, values: F64) -> F64:
        """Sum over keys of weight * (v - o)."""
        return weights @ values - o * weights.sum(axis=-1, keepdims=True)

    def scattered(weights: F64, values: F64) -> F64:
        """Sum over keys of weight * (v - o)^2, without the noise of float64 where every v is o."""
        squares = weights @ values**2
        spread = squares - 2 * o * (weights @ values) + o**2 * weights.sum(axis=-1, keepdims=True)
        return np.where(spread > 1e-12 * squares, spread, 0)

    variances = {stage: np.zeros_like(o) for stage in STAGES}
    earlier = -o * running * np.exp(start - top) / total
    scale_moves, accumulator = np.zeros_like(o), None
    for step in steps:
        unit = np.exp(step.maximum - top) / total
        seen = np.isfinite(step.scores)
        scores = np.where(seen, step.scores, 0)
        shifted = np.where(seen, step.scores - step.maximum, 0)
        weights = np.where(seen, np.exp(shifted), 0)
        p = weights * unit
        variances["Qs"] += scattered(p**2 * (_variance(queries) @ step.keys.swapaxes(2, 3) ** 2), step.values)
        scale_moves += apart(p * scores, step.values)
        variances["S"] += scattered(p**2 * _variance(scores), step.values)
        variances["S-m"] += scattered(p**2 * _variance(shifted), step.values)
        variances["P"] += scattered(_variance(weights), step.values) * unit**2
        fall = np.where(np.isfinite(step.old_maximum), step.old_maximum - step.maximum, 0)
        factor = np.where(np.isfinite(step.old_maximum), np.exp(fall), 0)
        variances["r"] += (_variance(fall) + _relative(factor)) * earlier**2
        product = weights @ step.values
        variances["PV"] += _variance(product) * unit**2
        if accumulator is None:
            accumulator = product
        else:
            rescaled = accumulator * factor
            accumulator = rescaled + product
            variances["r"] += (_variance(rescaled) + _variance(accumulator)) * unit**2
        running = running * factor
        variances["l"] += _variance(running) * (unit * o) ** 2
        for part in np.split(weights, np.cumsum([key.keys for key in step.tiles])[:-1], axis=-1):
            running = running + part.sum(axis=-1, keepdims=True)
            variances["l"] += _variance(running) * (unit * o) ** 2
        earlier += apart(p, step.values)
    variances["Qs"] += ((float(round_to_bf16(np.float64(scale))) / scale - 1) * scale_moves) ** 2
    variances["1/l"] += _relative(1 / total) * o**2
    variances["O"] += _variance(o)
    return variances


def _variance(x: F64) -> F64:
    """`rounding_variance` where `x` is no bf16 value, else 0."""
    return np.where(round_to_bf16(x) == x, 0.0, rounding_variance(x))


def _relative(x: F64) -> F64:
    return np.divide(_variance(x), x**2, out=np.zeros_like(x), where=x != 0)


#: log P(|z| > x) of a normal z, on a grid: numpy has no error function.
_GRID = np.linspace(0, 9, 4001)
_LOG_TAIL = np.log([math.erfc(x / math.sqrt(2)) for x in _GRID])


def expected_maximum(variance: F64) -> float:
    """The median of the largest of independent normal errors: the t with prod_i P(|e_i| <= t) = 1/2.

    Args:
        variance: of each error, any shape; 0 for an error that is not made.
    """
    sigma = np.sqrt(variance[variance > 0])
    if not sigma.size:
        return 0.0
    low, high = 0.0, float(_GRID[-1] * sigma.max())
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        tails = np.exp(np.interp(middle / sigma, _GRID, _LOG_TAIL))
        if np.log1p(-np.minimum(tails, 1 - 1e-12)).sum() < math.log(0.5):
            low = middle
        else:
            high = middle
    return high
