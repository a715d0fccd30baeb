"""Attention's roundings and nothing else of the machine: float64, block by block, any of them switched on.

Explained in docs/accuracy.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from plena_ref.analysis.attention_problem import (
    AttentionProblem,
    QueryTile,
    Schedule,
    query_tiles,
    tile_sums,
)
from plena_ref.analysis.attention_variances import rounding_variances
from plena_ref.analysis.roundings import F64, round_to_bf16, sum_of
from plena_ref.golden import attention as golden

#: The roundings to bf16, in the order of the computation.
STAGES: dict[str, str] = {
    "Qs": "the softmax scale, and scale*Q",
    "S": "scores, at the write-out",
    "S-m": "scores less the running maximum",
    "P": "exp of that",
    "l": "running sum",
    "PV": "product, at the write-out",
    "r": "exp(m_old - m), O*r and O + PV, from block to block",
    "1/l": "reciprocal of the sum",
    "P/l": "weights times that, where the softmax of a query tile is one",
    "O": "output",
}

#: Looks up what a stage does to its numbers: round them, or leave them alone.
Rounding = Callable[[str], Callable[[F64 | np.float64], F64]]


def _kept(x: F64 | np.float64) -> F64:
    return np.asarray(x)


def attention(problem: AttentionProblem, schedule: Schedule, rounded: Collection[str]) -> F64:
    """Tiled attention in float64 with the named stages rounded to bf16.

    Args:
        problem: the data.
        schedule: which keys are taken together.
        rounded: keys of `STAGES`.

    Returns:
        batch x heads x seq x head_dim.
    """

    def stage(name: str) -> Callable[[F64 | np.float64], F64]:
        return round_to_bf16 if name in rounded else _kept

    k, v = problem.keys_and_values()
    start = 1.0 if problem.starts_from_sink else 0.0
    outputs = []
    for tile in query_tiles(problem.visible, schedule.mlen, schedule.softmax_tiles):
        rows = problem.q[:, :, tile.rows]
        m = np.broadcast_to(problem.initial_maximum()[:, None, None], (*rows.shape[:3], 1))
        outputs.append(_query_tile(tile, rows, k, v, m, np.full_like(m, start), schedule, stage))
    return np.concatenate(outputs, axis=2)


def _scores(q: F64, keys: F64, schedule: Schedule, stage: Rounding) -> F64:
    """Scores of queries and keys, the softmax scale in either place."""
    scale = stage("Qs")(np.float64(golden.softmax_scale(q.shape[-1])))
    if schedule.scaled_scores:
        return stage("S")(scale * stage("S")(q @ keys.swapaxes(2, 3)))
    return stage("S")(stage("Qs")(scale * q) @ keys.swapaxes(2, 3))


@dataclass(frozen=True)
class _Partial:
    """Some of a query tile's keys: output and sum under a maximum, each batch x heads x rows x n."""

    output: F64
    total: F64
    maximum: F64

    def joined_by(self, run: _Partial, stage: Rounding) -> _Partial:
        """With a later run of keys, under its maximum."""
        factor = stage("r")(np.exp(stage("r")(self.maximum - run.maximum)))
        output = stage("r")(stage("r")(self.output * factor) + run.output)
        total = stage("l")(stage("l")(self.total * factor) + run.total)
        return _Partial(output, total, run.maximum)


def _query_tile(
    tile: QueryTile, q: F64, k: F64, v: F64, m: F64, total: F64, schedule: Schedule, stage: Rounding
) -> F64:
    """One query tile from the running maximum `m` and sum `total`, each batch x heads x rows x 1."""
    output: F64 | None = None
    earlier: _Partial | None = None
    number = 0

    def join(run: _Partial) -> _Partial:
        return run if earlier is None else earlier.joined_by(run, stage)

    for block in tile.blocks:
        if output is not None and schedule.begins_run(number):
            earlier, output, total = join(_Partial(output, total, m)), None, np.zeros_like(total)
        scores = [
            np.where(seen, _scores(q, k[:, :, keys], schedule, stage), -np.inf)
            for keys, seen in zip(block.tiles, block.seen, strict=True)
        ]
        m_old, m = m, np.maximum(m, np.concatenate(scores, axis=-1).max(axis=-1, keepdims=True))
        rescale = stage("r")(np.exp(stage("r")(m_old - m)))
        weights = [stage("P")(np.exp(stage("S-m")(tile_scores - m))) for tile_scores in scores]
        old = stage("l")(total * rescale)
        total = _block_sum(weights, old, number == 0, schedule, stage)
        if schedule.scaled_weights and len(tile.blocks) == 1:
            reciprocal = stage("1/l")(1 / total)
            weights = [stage("P/l")(part * reciprocal) for part in weights]
            (product,) = _products(weights, [v[:, :, keys] for keys in block.tiles], schedule, stage)
            return product
        if output is not None:
            output = stage("r")(output * rescale)
        for product in _products(weights, [v[:, :, keys] for keys in block.tiles], schedule, stage):
            if output is not None and schedule.begins_run(number):
                earlier, output = join(_Partial(output, np.zeros_like(total), m)), None
            output = product if output is None else stage("r")(output + product)
            number += 1
    if output is None:
        raise ValueError("a query tile sees no key")
    result = join(_Partial(output, total, m))
    return stage("O")(result.output * stage("1/l")(1 / result.total))


def _block_sum(weights: list[F64], old: F64, first: bool, schedule: Schedule, stage: Rounding) -> F64:
    """The running sum after a block of weights, from `old`, what is left of the one before."""
    sums = [part.sum(axis=-1, keepdims=True) for part in weights]
    if schedule.scaled_scores:
        for row_sum in sums:
            old = stage("l")(old + stage("l")(row_sum))
        return old
    if first:
        return tile_sums(sums, old, schedule.mlen, stage("l"))
    return stage("l")(old + tile_sums(sums, np.zeros_like(old), schedule.mlen, stage("l")))


def _products(weights: list[F64], values: list[F64], schedule: Schedule, stage: Rounding) -> list[F64]:
    """Weights times values, of `product_tiles` tiles at a time."""
    together = schedule.product_tiles
    parts = [weight @ value for weight, value in zip(weights, values, strict=True)]
    return [stage("PV")(sum_of(parts[n : n + together])) for n in range(0, len(parts), together)]


@dataclass(frozen=True)
class AttentionRoundings:
    """The roundings of one attention problem (`analysis.roundings.Roundings`)."""

    problem: AttentionProblem
    schedule: Schedule

    stages: ClassVar[Mapping[str, str]] = STAGES

    @cached_property
    def exact(self) -> F64:
        """The float64 golden, batch x seq x heads x head_dim."""
        p = self.problem
        return golden.attention(p.q, p.k, p.v, p.causal, p.window, p.sinks).transpose(0, 2, 1, 3)

    def rounded(self, stages: Collection[str]) -> F64:
        """Tiled attention with the named stages rounded."""
        return attention(self.problem, self.schedule, stages).transpose(0, 2, 1, 3)

    def variances(self) -> dict[str, F64]:
        """The closed form by stage."""
        found = rounding_variances(self.problem, self.schedule)
        return {stage: found[stage].transpose(0, 2, 1, 3) for stage in STAGES}
