"""The predicted errors agree with drawn ones, and with the reference machine."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.analysis.error_prediction import expected_maximum, predict
from plena_ref.analysis.roundings import round_to_bf16, rounding_variance
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.verdict.accuracy import result_values
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case

SMALL = Hardware(16, 4, vram_elems=1 << 16, hbm_bytes=1 << 17)


def measured(case: Case) -> float:
    """Largest error of the reference machine."""
    workload = build(case)
    machine = Machine(case.hardware, workload.images, workload.limit)
    assert machine.run(workload.words).status == "stopped"
    return float(np.abs(result_values(workload, machine.images.vram) - workload.golden).max())


@pytest.mark.parametrize(
    "case",
    [
        make_case("one tile", SMALL, batch=3, seq=16, head_dim=16),
        make_case("causal tiles", SMALL, batch=2, seq=35, head_dim=64, causal=True),
        make_case("scale is no power of two", SMALL, seq=17, head_dim=128),
        make_case("padded head", SMALL, batch=2, seq=17, head_dim=22, causal=True),
        make_case("cached", SMALL, batch=2, seq=9, kv_seq=61, head_dim=32, causal=True, seed=3),
        make_case("grouped", SMALL, seq=20, heads=4, kv_heads=2, head_dim=16, causal=True),
        make_case("window", SMALL, seq=20, kv_seq=50, head_dim=24, causal=True, window=19),
        make_case("sinks", SMALL, seq=20, kv_seq=50, head_dim=24, causal=True, window=19, sinks=True),
    ],
    ids=lambda case: case.name,
)
def test_both_predictions_are_near_the_machine(case: Case) -> None:
    """The model meets the machine but for f32 sums; the closed form comes within a factor of two."""
    prediction, error = predict(case.problem.roundings(case)), measured(case)
    assert prediction.maximum == pytest.approx(error, rel=0.1)
    assert 0.5 < error / prediction.expected < 2.0


def test_a_single_key_has_no_error() -> None:
    case = make_case("one key", SMALL, batch=2, seq=1, head_dim=128)
    assert measured(case) == 0
    prediction = predict(case.problem.roundings(case))
    assert (prediction.maximum, prediction.expected) == (0, 0)


def test_the_prediction_follows_the_data() -> None:
    """Quiet inputs make small scores and small outputs."""
    cases = [make_case("case", SMALL, seq=16, sigma=sigma) for sigma in (1.5, 0.15)]
    loud, quiet = (predict(case.problem.roundings(case)) for case in cases)
    assert quiet.maximum < loud.maximum / 5 and quiet.expected < loud.expected / 5


def test_a_stage_that_rounds_nothing_has_no_variance() -> None:
    """One tile is never rescaled nor divided by l after P V, and head_dim 16 has a scale of 1/4."""
    case = make_case("one tile", SMALL, seq=16, head_dim=16)
    variances = case.problem.roundings(case).variances()
    assert {stage for stage, variance in variances.items() if not variance.any()} == {"Qs", "r", "O"}
    assert all(variance.shape == (1, 16, 2, 16) for variance in variances.values())


def test_the_variance_of_rounding_is_that_of_bf16() -> None:
    values = np.random.default_rng(1).uniform(1.0, 2.0, 100_000)
    drawn = ((round_to_bf16(values) - values) ** 2).mean()
    assert drawn == pytest.approx(rounding_variance(np.array(1.5)), rel=0.02)
    assert rounding_variance(np.array([0.0]))[0] == 0
    assert rounding_variance(np.array(3.0)) == 4 * rounding_variance(np.array(1.5))


@pytest.mark.parametrize("sigma", [np.full(300, 0.5), np.geomspace(0.01, 1, 300), np.array([2.0])])
def test_the_expected_maximum_is_the_median_of_drawn_maxima(sigma: np.ndarray) -> None:
    draws = np.random.default_rng(2).standard_normal((4000, len(sigma))) * sigma
    assert expected_maximum(sigma**2) == pytest.approx(np.median(np.abs(draws).max(axis=1)), rel=0.04)


def test_errors_that_are_not_made_do_not_count() -> None:
    assert expected_maximum(np.zeros((3, 4))) == 0
    alone = expected_maximum(np.array([4.0]))
    assert expected_maximum(np.array([0.0, 4.0, 0.0])) == alone
    assert alone == pytest.approx(2 * 0.6745, rel=1e-3)
