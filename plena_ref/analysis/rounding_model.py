"""The attention kernel's roundings, and nothing else of the machine: float64 attention, block by block as the
kernel does it, with any subset of its bf16 roundings switched on. Explained in docs/accuracy.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden import attention as golden
from plena_ref.kernels.tiling import KeyTile, QueryTile, query_tiles
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.workloads.cases import Case, block_tiles

F64 = NDArray[np.float64]

#: The kernel's roundings to bf16, in the order of the computation.
STAGES: dict[str, str] = {
    "Qs": "the softmax scale, and scale*Q",
    "S": "scores, at the write-out",
    "S-m": "scores less the running maximum",
    "P": "exp of that",
    "l": "running sum",
    "PV": "product, at the write-out",
    "r": "exp(m_old - m), O*r and O + PV, from block to block",
    "1/l": "reciprocal of the sum",
    "O": "output",
}


def round_to_bf16(x: F64) -> F64:
    """The nearest bf16 value, in float64."""
    return bf16_to_f32(bf16_from_float(x)).astype(np.float64)


def initial_maximum(case: Case, sinks: F64 | None) -> F64:
    """The running maximum before the first key tile, one a head: the sink, or nothing.

    Under a window a row may see nothing of its first tile; any finite start does, the rescale factor is 0.
    """
    if sinks is not None:
        return sinks
    return np.full(case.heads, -np.inf if case.window is None else np.finfo(np.float32).min)


def attention(case: Case, q: F64, k: F64, v: F64, rounded: Collection[str], sinks: F64 | None = None) -> F64:
    """Tiled attention in float64 with the named stages rounded to bf16.

    Args:
        case: shape and machine.
        q: batch x heads x seq x head_dim.
        k, v: batch x kv_heads x kv_seq x head_dim.
        rounded: keys of `STAGES`.
        sinks: a logit a query head, or None.

    Returns:
        batch x heads x seq x head_dim.
    """

    def stage(name: str) -> Callable[[F64], F64]:
        return round_to_bf16 if name in rounded else lambda x: x

    mlen = case.hardware.mlen
    scale = stage("Qs")(np.float64(golden.softmax_scale(case.head_dim)))
    k, v = (np.repeat(tensor, case.shape.group, axis=1) for tensor in (k, v))
    m, total = initial_maximum(case, sinks), np.full(case.heads, 0.0 if sinks is None else 1.0)
    width = block_tiles(case)
    outputs = []
    for tile in query_tiles(case.shape, mlen):
        rows = q[:, :, tile.index * mlen :][:, :, : tile.rows]
        state = (np.broadcast_to(x[:, None, None], (*rows.shape[:3], 1)) for x in (m, total))
        outputs.append(_query_tile(tile, stage("Qs")(scale * rows), k, v, *state, mlen, width, stage))
    return np.concatenate(outputs, axis=2)


def _query_tile(
    tile: QueryTile,
    q: F64,
    k: F64,
    v: F64,
    m: F64,
    total: F64,
    mlen: int,
    width: int,
    stage: Callable[[str], Callable[[F64], F64]],
) -> F64:
    """One query tile from the running maximum `m` and sum `total`, each batch x heads x rows x 1.

    The keys come in blocks of `width` key tiles; the sum is rounded after each tile, P V after each block.
    """
    output = np.zeros_like(q)
    for block in tile.key_blocks(width):
        columns = [slice(key.index * mlen, key.index * mlen + key.keys) for key in block.tiles]
        scores = [
            np.where(visible(tile, key), stage("S")(q @ k[:, :, part].swapaxes(2, 3)), -np.inf)
            for key, part in zip(block.tiles, columns, strict=True)
        ]
        m_old, m = m, np.maximum(m, np.concatenate(scores, axis=-1).max(axis=-1, keepdims=True))
        rescale = stage("r")(np.exp(stage("r")(m_old - m)))
        total = stage("l")(total * rescale)
        product = np.zeros_like(q)
        for part, tile_scores in zip(columns, scores, strict=True):
            weights = stage("P")(np.exp(stage("S-m")(tile_scores - m)))
            total = stage("l")(total + weights.sum(axis=-1, keepdims=True))
            product += weights @ v[:, :, part]
        product = stage("PV")(product)
        output = product if block.first else stage("r")(stage("r")(output * rescale) + product)
    return stage("O")(output * stage("1/l")(1 / total))


def visible(tile: QueryTile, key: KeyTile) -> NDArray[np.bool_]:
    """Boolean rows x keys: which keys of the tile each of its queries sees."""
    row, column = np.indices((tile.rows, key.keys))
    seen = np.ones(row.shape, dtype=bool)
    if key.shift is not None:
        seen &= column <= row + key.shift
    return seen if key.low is None else seen & (column >= row + key.low)
