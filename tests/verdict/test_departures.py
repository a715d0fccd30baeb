"""Errors that every element's tolerance lets pass: a head that is not what the roundings make of the data."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.verdict.accuracy import accuracy, accurate, all_pass
from plena_ref.verdict.departures import departing_heads, departing_rows
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES
from scripts import false_alarms

MODELLED = np.arange(2 * 4 * 3 * 8, dtype=np.float64).reshape(2, 4, 3, 8)


def changed(rows: int, columns: int) -> np.ndarray:
    """The model's numbers but for some columns of some rows of head 1."""
    values = MODELLED.copy()
    values.reshape(8, 3, 8)[:rows, 1, :columns] += 1
    return values


@pytest.mark.parametrize(("rows", "columns", "departs"), [(2, 2, True), (1, 8, False), (8, 1, False)])
def test_a_head_departs_by_many_elements_of_many_rows(rows: int, columns: int, departs: bool) -> None:
    """Eight rows of eight columns: more than one row, and more than one element of each."""
    found = departing_heads(changed(rows, columns), MODELLED)
    assert found == (("head 1: 2 of 8 rows are not what the roundings make of the data",) if departs else ())


def test_a_single_row_may_have_been_turned_over() -> None:
    assert departing_heads(changed(1, 8)[:1, :1], MODELLED[:1, :1]) == ()


def test_rows_without_a_model_do_not_count() -> None:
    modelled = MODELLED.copy()
    modelled[0] = np.nan
    assert departing_rows(changed(8, 8), modelled).tolist() == [[0, 4, 0], [4, 4, 4]]
    assert departing_heads(changed(4, 8), modelled) == () == departing_heads(changed(8, 8), None)


def test_nan_is_never_the_models() -> None:
    assert len(departing_heads(np.full_like(MODELLED, np.nan), MODELLED)) == 3


@pytest.mark.parametrize("seed", range(3))
def test_one_unit_in_every_weight_of_one_head_fails(seed: int) -> None:
    """By its tolerance each element passes: only the model of the roundings tells."""
    options = {"MLEN": "8", "BLEN": "4", "HLEN": "8", "BATCH": "2", "HEAD_DIM": "8", "SEQ": "19"}
    work = build(CASES["mha_ragged"].override(**options, CAUSAL="1", SIGMA="0.75", SEED=str(seed)))
    right, wrong = false_alarms.result(work), false_alarms.result(work, wrong_weights=True)
    right[:, :, 0], kept = wrong[:, :, 0], right.copy()
    assert accurate(work, kept) and not accurate(work, right)
    assert all_pass(accuracy(right, work.golden, work.tolerance, work.interval), 0)


def test_drawn_cases_are_judged_right() -> None:
    """A few of what docs/accuracy.md reports of 2,000."""
    trials = [false_alarms.judge(false_alarms.draw(number)) for number in range(24)]
    assert all(trial.accepted and not trial.vacuous for trial in trials)
    large = [trial.wrong_weights for trial in trials if trial.large]
    assert large.count(True) >= 5 and False not in large


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert false_alarms.main(["CASES=2", "FIRST=4"]) == 0
    assert capsys.readouterr().out.startswith("2 correct runs: 0 refused\n0 verdicts VACUOUS\n")
    assert false_alarms.main(["CASES=0"]) == 2
