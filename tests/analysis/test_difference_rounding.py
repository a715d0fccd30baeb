"""Roundings of differences: variances and covariances against drawn numbers, and attention with a sink."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.analysis.attention_problem import AttentionProblem, Schedule
from plena_ref.analysis.attention_roundings import AttentionRoundings
from plena_ref.analysis.difference_rounding import difference_rounding
from plena_ref.analysis.roundings import round_to_bf16, sum_of

DRAWS = 20_000


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((-2.5, -3.0, -5.0, -6.5), 0.19),
        ((0.6, 0.7, 0.9, 0.55), 3.2),
        ((-2.5, -3.0, -3.7, -2.2), 17.0),
        ((2.2, 1.1, 0.3, -0.4), 2.85),
        ((-0.35, -1.2, -2.6, -9.0), 1.3),
    ],
)
def test_variances_and_covariances(x: tuple[float, ...], y: float) -> None:
    """Own and common parts are those of numbers drawn about x and y."""
    rng = np.random.default_rng(1)
    # About whole periods of every grid, within one power of two.
    width = 0.0625 if y > 16 else 0.03125
    drawn_x = np.array(x) + rng.uniform(-width, width, (DRAWS, len(x)))
    drawn_y = y + rng.uniform(-width, width, (DRAWS, 1))
    exact = round_to_bf16(drawn_x) - round_to_bf16(drawn_y)
    errors = round_to_bf16(exact) - exact
    measured = errors.T @ errors / DRAWS
    found = difference_rounding(np.array(x) + 1e-5, np.array([y + 1e-4]))
    shares = np.equal.outer(found.grid, found.grid) * np.sqrt(np.multiply.outer(found.common, found.common))
    model = shares + np.diag(found.own)
    assert np.allclose(np.diag(measured), np.diag(model), rtol=0.05, atol=1e-9)
    scale = np.sqrt(np.multiply.outer(np.diag(model), np.diag(model)))
    # Saws of unlike periods are not quite independent of each other: -1/4 from one to the next.
    assert (np.abs(measured - model) <= 0.3 * scale + 1e-9).all()
    same = np.equal.outer(found.grid, found.grid)
    assert (np.abs(measured - model) <= 0.05 * scale + 1e-9)[same].all()


def test_no_error_where_the_difference_is_exact() -> None:
    """Equal numbers, small integers, and a grid of y that holds every difference."""
    found = difference_rounding(np.array([3.0, 7.0, 5.0]), np.array([7.0]))
    assert not found.own.any() and not found.common.any()
    found = difference_rounding(np.array([-2.51, -2.73]), np.array([17.3]))
    assert found.own.all() and not found.common.any()


def sink_problem(rng: np.random.Generator) -> AttentionProblem:
    """64 queries; one key with a score about 0.2 in the way of 63 that lie about -3, as models have it."""
    q = rng.normal(0, 0.01, (1, 1, 64, 16))
    q[..., 0] = 4.0
    k = rng.normal(0, 0.5, (1, 1, 64, 16))
    k[0, 0, :, 0] = rng.uniform(-3.7, -2.5, 64)
    k[0, 0, 0, 0] = rng.uniform(0.15, 0.25)
    v = 1 + 0.05 * rng.standard_normal((1, 1, 64, 16))
    v[0, 0, 0] = -1
    return AttentionProblem(q, k, v, False)


def test_errors_that_all_keys_share() -> None:
    """The share of S-m that is common to a row's keys is in its variance: no element is off by six sigma."""
    rng = np.random.default_rng(2)
    worst, squares = 0.0, []
    for _ in range(20):
        problem = sink_problem(rng)
        model = AttentionRoundings(problem, Schedule(64, 1, 1))
        error = np.abs(model.rounded(list(model.stages)) - model.exact)
        sigma = np.sqrt(sum_of(model.variances().values()))
        worst = max(worst, float((error / sigma).max()))
        squares.append(np.mean((error / sigma) ** 2))
    assert worst < 6
    assert 0.5 < np.sqrt(np.mean(squares)) < 1.5
