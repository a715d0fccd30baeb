"""The verdict on the errors of a cell: its own row's roundings, the model, and what size explains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plena_ref.analysis.error_prediction import Prediction, predict
from plena_ref.analysis.roundings import Roundings
from plena_ref.analysis.size_limit import size_limit
from plena_ref.verdict.tolerance import ELEMENT_SIGMAS, element_tolerance
from plena_ref.workloads.case import Case
from tb.sweep import matrix
from tb.sweep.error_verdict import CLOSED_FORM_FACTOR, judge_errors

CELLS = [cell for cell in matrix.load().quick_cells() if cell.work < 1_000_000]


def roundings_of(case: Case) -> Roundings:
    """The model of a case's roundings."""
    return case.problem.roundings(case)


@pytest.fixture(scope="module")
def judged() -> tuple[Roundings, np.ndarray, Prediction, float]:
    """A small cell: its model, the result with all roundings, its prediction, and its limit."""
    case = matrix.load().by_name["mlen8-blen4-batch2-seq9-hd16-causal"].case
    roundings = roundings_of(case)
    result = roundings.rounded(tuple(roundings.stages))
    return roundings, result, predict(roundings), size_limit(case.problem.sizes, case.sigma)


def test_the_roundings_pass(judged: tuple[Roundings, np.ndarray, Prediction, float]) -> None:
    roundings, result, prediction, limit = judged
    verdict = judge_errors(result, roundings.exact, prediction, limit)
    assert verdict.reasons == () and verdict.maximum == prediction.maximum


@pytest.mark.parametrize("sigmas", [ELEMENT_SIGMAS - 0.5, ELEMENT_SIGMAS + 0.5])
def test_each_element_has_the_tolerance_of_its_own_row(
    sigmas: float, judged: tuple[Roundings, np.ndarray, Prediction, float]
) -> None:
    """A quiet element is off by less than the largest error of all: only its own tolerance sees it."""
    roundings, result, prediction, limit = judged
    deviation = np.sqrt(prediction.variance)
    quiet = np.unravel_index(np.argmin(np.where(deviation > 0, deviation, np.inf)), deviation.shape)
    wrong = result.copy()
    wrong[quiet] = roundings.exact[quiet] + sigmas * deviation[quiet]
    assert sigmas * deviation[quiet] < prediction.maximum
    reasons = judge_errors(wrong, roundings.exact, prediction, limit).reasons
    assert bool(reasons) == (sigmas > ELEMENT_SIGMAS)
    if reasons:
        batch, row, head, column = quiet
        assert f"worst is batch {batch}, row {row}, head {head}, column {column}" in reasons[0]
        assert reasons[0].startswith(f"1 of {result.size} elements")


def test_a_row_of_one_key_must_be_exact(judged: tuple[Roundings, np.ndarray, Prediction, float]) -> None:
    """The first query of a causal mask sees one key; nothing is rounded that changes it."""
    roundings, result, prediction, limit = judged
    assert (prediction.variance[:, 0] == 0).all()
    wrong = result.copy()
    wrong[0, 0, 0, 0] *= 1 + 2.0**-9
    assert "1 of" in judge_errors(wrong, roundings.exact, prediction, limit).reasons[0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_number_is_no_match(value: float, judged: tuple[Roundings, np.ndarray, Prediction, float]) -> None:
    roundings, result, prediction, limit = judged
    wrong = result.copy()
    wrong[1, 3, 0, 2] = value
    verdict = judge_errors(wrong, roundings.exact, prediction, limit)
    assert verdict.maximum == np.inf and len(verdict.reasons) == 2


def test_a_large_prediction_excuses_nothing(
    judged: tuple[Roundings, np.ndarray, Prediction, float],
) -> None:
    """An error as large as predicted fails where neither the closed form nor the size explains it."""
    roundings, result, prediction, limit = judged
    excess = CLOSED_FORM_FACTOR * 1.01
    wrong = roundings.exact + excess * prediction.expected * (result != roundings.exact)
    large = replace(prediction, maximum=excess * prediction.expected, variance=prediction.variance + 1.0)
    (reason,) = judge_errors(wrong, roundings.exact, large, limit).reasons
    assert "by closed form" in reason
    huge = replace(large, maximum=1.01 * limit, expected=limit)
    wrong = roundings.exact + 1.01 * limit
    (reason,) = judge_errors(wrong, roundings.exact, huge, limit).reasons
    assert "the size of the problem explains at most" in reason


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_the_model_passes_every_small_cell(cell: matrix.Cell) -> None:
    roundings = roundings_of(cell.case)
    result = roundings.rounded(tuple(roundings.stages))
    limit = size_limit(cell.case.problem.sizes, cell.case.sigma)
    prediction = predict(roundings)
    assert judge_errors(result, roundings.exact, prediction, limit).reasons == ()
    assert prediction.maximum < limit / 2


def test_data_of_another_size_are_not_explained() -> None:
    """Inputs four times as loud have a prediction that the declared sigma does not explain."""
    case = matrix.load().by_name["mlen16-blen4-batch2-seq16-hd64-full"].case
    quiet = size_limit(case.problem.sizes, case.sigma)
    loud = predict(roundings_of(replace(case, sigma=4 * case.sigma)))
    assert loud.maximum > quiet
    assert loud.maximum < size_limit(case.problem.sizes, 4 * case.sigma)


def test_the_limit_grows_with_the_problem() -> None:
    sizes = CELLS[0].case.problem.sizes
    for field in ("batch", "seq", "kv_seq"):
        larger = replace(sizes, **{field: 10 * getattr(sizes, field)})
        assert size_limit(larger, 1.5) > size_limit(sizes, 1.5), field
    assert size_limit(sizes, 3.0) > 2 * size_limit(sizes, 1.5)


def test_the_tolerance_is_that_of_its_variance() -> None:
    tolerance = element_tolerance(np.array([0.0, 4.0]), np.array([3.0, 3.0]))
    assert 0 < tolerance[0] < 1e-11
    assert tolerance[1] == pytest.approx(2 * ELEMENT_SIGMAS)
