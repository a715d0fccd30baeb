"""One attention problem as the models of its roundings see it: data, and which keys are taken together.

Which keys a query sees, and so which tiles and blocks there are, follows from positions alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.roundings import sum_of
from plena_ref.golden.attention import softmax_scale, visible_keys

F64 = NDArray[np.float64]

#: Key tiles of a row whose sums are added one after the other in a register.
RUN_TILES = 16


@dataclass(frozen=True)
class Schedule:
    """How a form of the kernel takes the keys of a query tile, as far as that changes a rounding.

    Attributes:
        mlen: queries and keys of a tile.
        softmax_tiles: key tiles whose softmax is one; from one block of them to the next it is online.
        product_tiles: key tiles whose products with V are summed in f32 before they are rounded, at most.
        run_products: products that are added one after the other, and the sums of their blocks; such runs are
            added in the same way. None: all of them.
        scaled_weights: where the softmax of a query tile is one, P is multiplied by 1/l before the products.
        scaled_scores: the plain form: S, not Q, is multiplied by the softmax scale, and the sum of a tile's
            row is rounded before it joins the one running sum.
    """

    mlen: int
    softmax_tiles: int
    product_tiles: int
    run_products: int | None = None
    scaled_weights: bool = False
    scaled_scores: bool = False

    def begins_run(self, number: int) -> bool:
        """Whether product `number` of a query tile is the first of a run, and not the first of all."""
        return self.run_products is not None and number > 0 and number % self.run_products == 0


@dataclass(frozen=True)
class AttentionProblem:
    """What is computed.

    Attributes:
        q: batch x heads x seq x head_dim, the values the machine starts from.
        k, v: batch x kv_heads x kv_seq x head_dim, the values the machine reads.
        causal, window: as for `golden.attention.visible_keys`.
        sinks: a logit a query head, or None.
    """

    q: F64
    k: F64
    v: F64
    causal: bool
    window: int | None = None
    sinks: F64 | None = None

    @property
    def visible(self) -> NDArray[np.bool_]:
        """Boolean seq x kv_seq: which keys a query sees."""
        return visible_keys(self.q.shape[2], self.k.shape[2], self.causal, self.window)

    @property
    def starts_from_sink(self) -> bool:
        """The running maximum and sum begin with a sink."""
        return self.sinks is not None

    def initial_maximum(self) -> F64:
        """The running maximum before the first key, one a head: the sink, or nothing.

        Under a window a row may see nothing of its first tile: any finite start does, as the rescale factor
        is 0.
        """
        if self.sinks is not None:
            return self.sinks
        nothing = -np.inf if self.window is None else float(np.finfo(np.float32).min)
        return np.full(self.q.shape[1], nothing)

    def without_heaviest_tile(self, mlen: int) -> F64:
        """The golden without the MLEN keys that weigh most in a row; 0 for a row that sees no others.

        Returns:
            batch x heads x seq x head_dim.
        """
        k, v = self.keys_and_values()
        result = np.zeros_like(self.q)
        for batch, head in np.ndindex(self.q.shape[:2]):
            scores = softmax_scale(self.q.shape[3]) * self.q[batch, head] @ k[batch, head].T
            scores = np.where(self.visible, scores, -np.inf)
            sink = -np.inf if self.sinks is None else self.sinks[head]
            top = np.maximum(scores.max(axis=1, keepdims=True), sink)
            weights = np.exp(scores - top)
            tiles = np.arange(scores.shape[1]) // mlen
            by_tile = np.add.reduceat(weights, np.arange(0, scores.shape[1], mlen), axis=1)
            weights = np.where(tiles == by_tile.argmax(axis=1)[:, None], 0, weights)
            total = weights.sum(axis=1, keepdims=True) + np.exp(sink - top)
            np.divide(weights @ v[batch, head], total, out=result[batch, head], where=total > 0)
        return result

    def keys_and_values(self) -> tuple[F64, F64]:
        """K and V with a head for each query head."""
        group = self.q.shape[1] // self.k.shape[1]
        return np.repeat(self.k, group, axis=1), np.repeat(self.v, group, axis=1)


@dataclass(frozen=True)
class KeyBlock:
    """Key tiles whose softmax is one, as one query tile sees them.

    Attributes:
        tiles: the keys of each tile.
        seen: for each tile, boolean rows x keys.
    """

    tiles: tuple[slice, ...]
    seen: tuple[NDArray[np.bool_], ...]

    @property
    def keys(self) -> slice:
        """All keys of the block, which lie side by side."""
        return slice(self.tiles[0].start, self.tiles[-1].stop)


@dataclass(frozen=True)
class QueryTile:
    """Queries that are treated together, and the blocks of keys that some of them see, in order."""

    rows: slice
    blocks: tuple[KeyBlock, ...]


def tile_sums(sums: Sequence[F64], start: F64, mlen: int, rounded: Callable[[F64], F64]) -> F64:
    """The sum of a row's tiles as the machine adds them, for rows of any shape.

    Up to RUN_TILES tiles run in a register, from `start` on. Of more, the sums of such runs are added by
    trees of f32, MLEN at a time, and `start` after all.

    Args:
        sums: of each tile.
        start: what is there before the first tile.
        mlen: numbers of a tree.
        rounded: what a rounding to bf16 does.
    """
    runs = []
    for first in range(0, len(sums), RUN_TILES):
        total = start if len(sums) <= RUN_TILES else np.zeros_like(start)
        for tile in sums[first : first + RUN_TILES]:
            total = rounded(total + tile)
        runs.append(total)
    if len(runs) == 1:
        return runs[0]
    while len(runs) > 1:
        runs = [rounded(sum_of(runs[first : first + mlen])) for first in range(0, len(runs), mlen)]
    return rounded(start + runs[0])


def tiles_of(length: int, mlen: int) -> Iterator[slice]:
    """Positions 0..length-1 in tiles of MLEN; the last may be smaller."""
    return (slice(first, min(first + mlen, length)) for first in range(0, length, mlen))


def query_tiles(visible: NDArray[np.bool_], mlen: int, softmax_tiles: int) -> Iterator[QueryTile]:
    """The tiles of a problem in which query i sees key j when `visible[i, j]`."""
    for rows in tiles_of(visible.shape[0], mlen):
        tiles = [keys for keys in tiles_of(visible.shape[1], mlen) if visible[rows, keys].any()]
        blocks = [
            tuple(tiles[first : first + softmax_tiles]) for first in range(0, len(tiles), softmax_tiles)
        ]
        yield QueryTile(
            rows, tuple(KeyBlock(block, tuple(visible[rows, keys] for keys in block)) for block in blocks)
        )
