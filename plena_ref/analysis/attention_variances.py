"""The closed form: how large the error of each element of attention should be, from float64 attention alone.

A score's error d changes the output by p*d*(v - o) (first order), and so does a relative error of P. A
relative error of a rescale factor does that for all keys of earlier blocks. The roundings of l, PV, 1/l and O
are errors of the output itself. All are taken as independent and uniform over a rounding step, and none is
made where the float64 value is a bf16 value. Derived in docs/accuracy.md.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from plena_ref.analysis.attention_problem import (
    AttentionProblem,
    KeyBlock,
    QueryTile,
    Schedule,
    query_tiles,
    tile_sums,
)
from plena_ref.analysis.difference_rounding import difference_rounding
from plena_ref.analysis.roundings import F64, relative_variance, round_to_bf16, sum_of, variance
from plena_ref.golden.attention import softmax_scale


def rounding_variances(problem: AttentionProblem, schedule: Schedule) -> dict[str, F64]:
    """Variance of each output element's error by the stage that makes it.

    Args:
        problem: the data.
        schedule: which keys are taken together.

    Returns:
        By the names of `attention_roundings.STAGES`, each batch x heads x seq x head_dim.
    """
    parts: defaultdict[str, list[F64]] = defaultdict(list)
    k, v = problem.keys_and_values()
    for tile in query_tiles(problem.visible, schedule.mlen, schedule.softmax_tiles):
        for stage, values in _TileVariances(problem, schedule, tile, k, v).by_stage().items():
            parts[stage].append(values)
    return {stage: np.concatenate(values, axis=2) for stage, values in parts.items()}


@dataclass(frozen=True)
class _Step:
    """One block of key tiles in float64: scores (-inf where hidden), keys, values, running maxima."""

    block: KeyBlock
    scores: F64
    keys: F64
    values: F64
    old_maximum: F64
    maximum: F64


@dataclass(frozen=True)
class _Runs:
    """The runs of products that are complete.

    Attributes:
        output, total: their results and sums of weights, under `maximum`.
        apart: sum of p*(v - o) over their keys.
        maximum: the running maximum when the last of them ended.
    """

    output: F64
    total: F64
    apart: F64
    maximum: F64


class _TileVariances:
    """The closed form of one query tile; k and v have a head for each of Q's."""

    def __init__(
        self, problem: AttentionProblem, schedule: Schedule, tile: QueryTile, k: F64, v: F64
    ) -> None:
        rows = problem.q[:, :, tile.rows]
        self.schedule = schedule
        self.scale = softmax_scale(rows.shape[-1])
        self.queries = self.scale * rows
        initial = problem.initial_maximum()[:, None, None]
        self.start = np.broadcast_to(initial, (*rows.shape[:3], 1))
        self.steps = self._steps(tile, k, v)
        self.top = self.steps[-1].maximum
        sink = 1.0 if problem.starts_from_sink else 0.0
        self.running = np.full_like(self.start, sink)
        sums = [np.exp(step.scores - self.top).sum(axis=-1, keepdims=True) for step in self.steps]
        self.total = self.running * np.exp(self.start - self.top) + sum(sums)
        self.o = sum(np.exp(step.scores - self.top) @ step.values for step in self.steps) / self.total
        #: Sum of p*(v - o) over what came before the step at hand: at first the sink.
        self.earlier = -self.o * self.running * np.exp(self.start - self.top) / self.total
        self.accumulator: F64 | None = None
        #: P is multiplied by 1/l, and the product is the output.
        self.scaled = schedule.scaled_weights and len(tile.blocks) == 1
        #: Products so far, and the runs of them that are complete.
        self.products = 0
        self.runs: _Runs | None = None
        self.variances: defaultdict[str, F64] = defaultdict(lambda: np.zeros_like(self.o))

    def _steps(self, tile: QueryTile, k: F64, v: F64) -> list[_Step]:
        steps, maximum = [], self.start
        for block in tile.blocks:
            keys, values = k[:, :, block.keys], v[:, :, block.keys]
            seen = np.concatenate(block.seen, axis=1)
            scores = np.where(seen, self.queries @ keys.swapaxes(2, 3), -np.inf)
            old, maximum = maximum, np.maximum(maximum, scores.max(axis=-1, keepdims=True))
            steps.append(_Step(block, scores, keys, values, old, maximum))
        return steps

    def by_stage(self) -> dict[str, F64]:
        """The variances, each batch x heads x rows x head_dim."""
        bias = np.zeros_like(self.o)
        for before, step in zip([None, *self.steps], self.steps, strict=False):
            if before is not None and self.schedule.begins_run(self.products):
                self._join(before, self.running)
                self.running = np.zeros_like(self.running)
            bias += self._scores_and_weights(step)
            self._rescaling(step)
            self._sums_and_products(step)
        if self.runs is not None:
            self._join(self.steps[-1], self.running)
        rounded_scale = float(round_to_bf16(np.float64(self.scale)))
        self.variances["Qs"] += ((rounded_scale / self.scale - 1) * bias) ** 2
        self.variances["1/l"] += relative_variance(1 / self.total) * self.o**2
        if self.scaled:
            weights, values = self._weights(self.steps[0]) / self.total, self.steps[0].values
            self.variances["P/l"] += variance(weights) @ values**2
        else:
            self.variances["O"] += variance(self.o)
        return {stage: self.variances[stage] for stage in ("Qs S S-m P l PV r 1/l P/l O".split())}

    def _unit(self, step: _Step) -> F64:
        """What turns a number of a step into the units of the output."""
        result: F64 = np.exp(step.maximum - self.top) / self.total
        return result

    def _weights(self, step: _Step) -> F64:
        return np.where(np.isfinite(step.scores), np.exp(step.scores - step.maximum), 0)

    def _apart(self, weights: F64, values: F64) -> F64:
        """Sum over keys of weight * (v - o)."""
        result: F64 = weights @ values - self.o * weights.sum(axis=-1, keepdims=True)
        return result

    def _scattered(self, weights: F64, values: F64) -> F64:
        """Sum over keys of weight * (v - o)^2, without the noise of float64 where every v is o."""
        o = self.o
        squares = weights @ values**2
        spread = squares - 2 * o * (weights @ values) + o**2 * weights.sum(axis=-1, keepdims=True)
        return np.where(spread > 1e-12 * squares, spread, 0)

    def _scores_and_weights(self, step: _Step) -> F64:
        """Qs, S, S-m and P; returns what a relative error of the softmax scale is multiplied with."""
        seen = np.isfinite(step.scores)
        scores = np.where(seen, step.scores, 0)
        weights, unit = self._weights(step), self._unit(step)
        p = weights * unit
        moved = variance(scores)
        if self.schedule.scaled_scores:
            # What has been rounded once is a bf16 value, and stays one under a power of two.
            twice = math.frexp(self.scale)[0] != 0.5
            moved = moved * twice + self.scale**2 * variance(scores / self.scale)
        else:
            queries = variance(self.queries) @ step.keys.swapaxes(2, 3) ** 2
            self.variances["Qs"] += self._scattered(p**2 * queries, step.values)
        self.variances["S"] += self._scattered(p**2 * moved, step.values)
        self._subtraction(p, scores, step)
        self.variances["P"] += self._scattered(variance(weights), step.values) * unit**2
        return self._apart(p * scores, step.values)

    def _subtraction(self, p: F64, scores: F64, step: _Step) -> None:
        """S-m: the rounded maximum is off the grids of the differences, by as much for every key."""
        rounding = difference_rounding(scores, step.maximum)
        self.variances["S-m"] += self._scattered(p**2 * rounding.own, step.values)
        for error in rounding.shared_errors():
            self.variances["S-m"] += self._apart(p * error, step.values) ** 2

    def _rescaling(self, step: _Step) -> None:
        """r: the factor, as far as it moves what came before."""
        known = np.isfinite(step.old_maximum)
        fall = np.where(known, step.old_maximum - step.maximum, 0)
        self.factor = np.where(known, np.exp(fall), 0)
        self.variances["r"] += (variance(fall) + relative_variance(self.factor)) * self.earlier**2
        self.earlier = self.earlier + self._apart(self._weights(step) * self._unit(step), step.values)

    def _sums_and_products(self, step: _Step) -> None:
        """PV, the additions to O (which belong to r), and l."""
        unit, weights = self._unit(step), self._weights(step)
        edges = np.cumsum([keys.stop - keys.start for keys in step.block.tiles])[:-1]
        by_tile = np.split(weights, edges, axis=-1)
        values = np.split(step.values, edges, axis=-2)
        if self.accumulator is not None:
            self.accumulator = self.accumulator * self.factor
            self.variances["r"] += variance(self.accumulator) * unit**2
        together = self.schedule.product_tiles
        for first in range(0, len(by_tile), together):
            if first and self.schedule.begins_run(self.products):
                self._join(step, np.zeros_like(self.running))
            self.products += 1
            parts = zip(by_tile[first : first + together], values[first : first + together], strict=True)
            product = sum_of(part @ value for part, value in parts)
            self.variances["PV"] += variance(self.o) if self.scaled else variance(product) * unit**2
            if self.accumulator is None:
                self.accumulator = product
                continue
            self.accumulator = self.accumulator + product
            self.variances["r"] += variance(self.accumulator) * unit**2
        self._sum(step, [part.sum(axis=-1, keepdims=True) for part in by_tile])

    def _sum(self, step: _Step, row_sums: list[F64]) -> None:
        """l, with the roundings of each partial sum."""

        def rounded(total: F64) -> F64:
            self.variances["l"] += variance(total) * (self._unit(step) * self.o) ** 2
            return total

        old = rounded(self.running * self.factor)
        if self.schedule.scaled_scores:
            for row_sum in row_sums:
                old = rounded(old + rounded(row_sum))
            self.running = old
        elif step is self.steps[0]:
            self.running = tile_sums(row_sums, old, self.schedule.mlen, rounded)
        else:
            block = tile_sums(row_sums, np.zeros_like(old), self.schedule.mlen, rounded)
            self.running = rounded(old + block)

    def _join(self, step: _Step, total: F64) -> None:
        """The run that ends in a step joins those before it: r, the additions to O, and l."""
        if self.accumulator is None:
            raise ValueError("a run without a product")
        run = _Runs(self.accumulator, total, self.earlier, step.maximum)
        unit = self._unit(step)
        if self.runs is not None:
            fall = self.runs.maximum - step.maximum
            factor = np.exp(fall)
            output, old = self.runs.output * factor, self.runs.total * factor
            self.variances["r"] += (variance(fall) + relative_variance(factor)) * self.runs.apart**2
            self.variances["r"] += (variance(output) + variance(output + run.output)) * unit**2
            self.variances["l"] += (variance(old) + variance(old + total)) * (unit * self.o) ** 2
            run = _Runs(output + run.output, old + total, self.runs.apart + run.apart, step.maximum)
        self.runs, self.accumulator, self.earlier = run, None, np.zeros_like(self.earlier)
