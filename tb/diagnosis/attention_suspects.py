"""Results that a faulty attention would have, by name: with them a wrong result is compared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.attention_problem import AttentionProblem
from plena_ref.golden.attention import attention_to, visible_keys

F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Multiply-accumulates that may be spent on strides that are cut short.
_MOST_WORK = 2e9


def suspects(problem: AttentionProblem, mlen: int) -> Iterator[tuple[str, F64]]:
    """Names and results, batch x heads x seq x head_dim.

    Args:
        problem: the tensors that the machine read, and the mask.
        mlen: edge of a tile.
    """
    q, k, v, sinks = problem.q, problem.k, problem.v, problem.sinks
    for name, visible in _masks(problem, mlen):
        if visible.any(axis=1).all() and not np.array_equal(visible, problem.visible):
            yield name, attention_to(q, k, v, visible, sinks)
    if len(q) > 1:
        for name, keys, values in _strides(problem, mlen):
            yield name, attention_to(q, keys, values, problem.visible, sinks)
    if k.shape[1] > 1:
        first_k, first_v = (np.broadcast_to(tensor[:, :1], tensor.shape) for tensor in (k, v))
        result = attention_to(q, first_k, first_v, problem.visible, sinks)
        yield "every head reads the first head of K and V", result
    root = float(np.sqrt(q.shape[3]))
    yield "scores are not scaled", attention_to(q * root, k, v, problem.visible, sinks)
    yield "scores are scaled twice", attention_to(q / root, k, v, problem.visible, sinks)


def _masks(problem: AttentionProblem, mlen: int) -> Iterator[tuple[str, Mask]]:
    """Other masks, those under which every query sees a key."""
    seq, kv_seq = problem.visible.shape
    window = problem.window
    age = np.arange(seq)[:, None] + (kv_seq - seq) - np.arange(kv_seq)[None, :]
    later_tile = np.arange(kv_seq)[None, :] >= mlen
    taken = _taken(problem.visible, mlen)
    yield "nothing is masked", np.ones((seq, kv_seq), bool)
    yield "nothing is masked in the tiles that are taken", taken
    yield "a causal mask where there must be none", visible_keys(seq, kv_seq, True, None)
    if not problem.causal:
        return
    inside = np.ones_like(later_tile) if window is None else age < window
    for step, count in ((1, "one more key"), (-1, "one key less"), (2, "two more keys")):
        shifted = (age >= -step) & inside & taken
        yield f"the causal mask shows {count} than it must", shifted
        yield (
            f"the causal mask shows {count} than it must in the key tiles past the first",
            np.where(later_tile, shifted, problem.visible),
        )
    in_tile = np.arange(seq)[:, None] % mlen >= np.arange(kv_seq)[None, :] % mlen
    yield "the causal mask of the first key tile is used for every key tile", in_tile & inside & taken
    yield "no key tile past the first is seen", problem.visible & ~later_tile
    if window is not None:
        yield "the window is ignored", age >= 0
        yield "the window has one key more", (age >= 0) & (age < window + 1)
        yield "the window has one key less", (age >= 0) & (age < window - 1)


def _taken(visible: Mask, mlen: int) -> Mask:
    """The tiles of queries by keys in which anything is seen: the others are skipped, whatever the mask."""
    rows, columns = (np.arange(size) // mlen for size in visible.shape)
    tiles = np.zeros((rows[-1] + 1, columns[-1] + 1), bool)
    np.logical_or.at(tiles, (rows[:, None], columns[None, :]), visible)
    return tiles[rows[:, None], columns[None, :]]


def _strides(problem: AttentionProblem, mlen: int) -> Iterator[tuple[str, F64, F64]]:
    """K and V of a batch that are read from the wrong place: another batch's, or after a stride cut short."""
    k, v = problem.k, problem.v
    first_k, first_v = (np.broadcast_to(tensor[:1], tensor.shape) for tensor in (k, v))
    yield "every batch reads K and V of the first", first_k, first_v
    kv_seq = k.shape[2]
    rows = -(-kv_seq // mlen) * mlen
    work = problem.q.size * kv_seq
    for short in range(1, rows + 1):
        if work * short > _MOST_WORK:
            return
        both = _short(k, rows, short), _short(v, rows, short)
        what = f"{short} of {rows} rows"
        yield f"the batch stride of K and V is {what} short", *both
        yield f"the batch stride of K is {what} short", both[0], v
        yield f"the batch stride of V is {what} short", k, both[1]


def _short(tensor: F64, rows: int, short: int) -> F64:
    """What is read of a tensor, batches in slabs of `rows`, when the stride is `short` rows too small."""
    batches, heads, count, dim = tensor.shape
    slabs = np.zeros((batches, rows, heads, dim))
    slabs[:, :count] = tensor.transpose(0, 2, 1, 3)
    flat = slabs.reshape(-1, heads, dim)
    places = np.arange(batches)[:, None] * (rows - short) + np.arange(count)
    read: F64 = flat[places].transpose(0, 2, 1, 3)
    return read
