"""How close a result is to its golden, batch by batch. Only active rows are compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.verdict.departures import departing_heads
from plena_ref.verdict.judged import Judged
from plena_ref.verdict.tolerance import Tolerance


@dataclass(frozen=True)
class WorstElement:
    """The element of a batch that is farthest from its golden; a NaN is farther than anything."""

    head: int
    row: int
    column: int
    golden: float
    got: float


@dataclass(frozen=True)
class BatchRow:
    """How one batch compares with its golden.

    Attributes:
        batch: its number.
        rows: active rows compared.
        match_percent: share of elements within the tolerance.
        misses: elements that are not.
        max_abs_error: largest |got - golden|; infinite when an element is NaN.
        worst: where that is.
        passed: no more misses than the whole case may have, and all elements lie within the outer bound.
    """

    batch: int
    rows: int
    match_percent: float
    misses: int
    max_abs_error: float
    worst: WorstElement
    passed: bool


def result_values(work: Judged, vram: NDArray[np.uint16]) -> NDArray[np.float64]:
    """The active elements of the result in `vram`: batch x seq x heads x head_dim."""
    batch, seq, heads, head_dim = work.golden.shape
    rows = work.comparison.extract(vram).reshape(batch, seq, heads, work.head_cols)
    return bf16_to_f32(rows[..., :head_dim]).astype(np.float64)


def allowed_misses(elements: int, tolerance: Tolerance) -> int:
    """How many of `elements` may lie outside the tolerance, rounded down."""
    share = Fraction(100) - Fraction(str(tolerance.match_percent))
    return math.floor(elements * share / 100)


def matching(
    got: NDArray[np.float64],
    golden: NDArray[np.float64],
    tolerance: Tolerance,
    interval: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
) -> NDArray[np.bool_]:
    """Which elements are within their bounds; the arrays have one shape."""
    if interval is not None:
        return (interval[0] <= got) & (got <= interval[1])
    return np.abs(got - golden) <= tolerance.atol + tolerance.rtol * np.abs(golden)


def accuracy(
    got: NDArray[np.float64],
    golden: NDArray[np.float64],
    tolerance: Tolerance,
    interval: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> tuple[BatchRow, ...]:
    """Compare batch x seq x heads x head_dim arrays, a row a batch; an interval replaces the tolerance."""
    rows = []
    allowed = allowed_misses(golden.size, tolerance)
    for batch, (values, wanted) in enumerate(zip(got, golden, strict=True)):
        error = np.abs(values - wanted)
        error = np.where(np.isnan(error), np.inf, error)
        bounds = None if interval is None else (interval[0][batch], interval[1][batch])
        matches = matching(values, wanted, tolerance, bounds)
        within = error <= tolerance.outer + tolerance.outer * np.abs(wanted)
        if bounds is not None:
            within = matches
        row, head, column = (int(i) for i in np.unravel_index(int(np.argmax(error)), error.shape))
        at = (row, head, column)
        worst = WorstElement(head, row, column, float(wanted[at]), float(values[at]))
        misses = int((~matches).sum())
        passed = misses <= allowed and bool(within.all())
        percent = 100.0 * float(matches.mean())
        rows.append(BatchRow(batch, wanted.shape[0], percent, misses, float(error.max()), worst, passed))
    return tuple(rows)


def all_pass(rows: Sequence[BatchRow], allowed: int) -> bool:
    """Every batch passes, and together they have no more misses than the case may have."""
    return sum(row.misses for row in rows) <= allowed and all(row.passed for row in rows)


def accurate(work: Judged, values: NDArray[np.float64]) -> bool:
    """Whether a result passes.

    Args:
        work: what was to be computed.
        values: batch x seq x heads x head_dim.
    """
    rows = accuracy(values, work.golden, work.tolerance, work.interval)
    right = all_pass(rows, allowed_misses(work.golden.size, work.tolerance))
    return right and not departing_heads(values, work.modelled)
