"""What breaks in a simulation of several cells costs its own cell only, and says why."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case
from tb.bench import harness
from tb.engine import simulate
from tb.sweep import cells as cells_module
from tb.sweep.cell import CellResult
from tb.sweep.cells import run_cells
from tests.sweep.plans import MATRIX

CELLS = MATRIX.slice({"mlen": ["8"], "blen": ["4"], "seq": ["1"], "batch": ["1"], "mask": ["full"]})
JUDGE = cells_module._judge


@pytest.fixture(autouse=True)
def nothing_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model, no simulation, no verdict: results pass."""

    def run(_hw: object, jobs: list[Any], *_: object, **__: object) -> Any:
        return SimpleNamespace(jobs=[SimpleNamespace(seconds=0.5) for _ in jobs], run_seconds=2.0)

    monkeypatch.setattr(harness, "build", lambda *_: None)
    monkeypatch.setattr(harness, "run", run)

    def judge(cell: Any, _workload: object, _job: object) -> CellResult:
        return CellResult(cell.name, True)

    monkeypatch.setattr(cells_module, "_judge", judge)


def test_all_in_one_simulation_and_its_time_is_shared() -> None:
    results = run_cells(CELLS)
    assert [result.name for result in results] == [cell.name for cell in CELLS]
    for result in results:
        assert result.passed and result.phases["simulation"] == 0.5
        assert result.phases["start"] == pytest.approx(0.5 / 3, abs=1e-3)
        assert {"build", "program", "files"} <= set(result.phases)


@pytest.mark.parametrize(
    "error", [simulate.SimulationError("broken"), ValueError("no fit"), MemoryError("full")]
)
def test_a_simulation_that_breaks_is_repeated_cell_by_cell(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = harness.run
    bad = build(CELLS[1].case).words

    def break_the_second(hw: object, jobs: list[Any], *arguments: object, **more: object) -> Any:
        if any(job.words == bad for job in jobs):
            raise error
        return run(hw, jobs, *arguments, **more)

    monkeypatch.setattr(harness, "run", break_the_second)
    results = run_cells(CELLS)
    assert [result.passed for result in results] == [True, False, True]
    assert results[1].error is not None and str(error) in results[1].error


def test_a_cell_whose_program_cannot_be_made_costs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(case: Case) -> Workload:
        if case.name == CELLS[1].name:
            raise ZeroDivisionError("of no use")
        return build(case)

    monkeypatch.setattr(cells_module, "build", refuse)
    results = run_cells(CELLS)
    assert [result.passed for result in results] == [True, False, True]
    assert results[1].error == "ZeroDivisionError: of no use"


def test_a_cell_whose_verdict_raises_costs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(workload: Workload, _job: object) -> CellResult:
        raise ZeroDivisionError(workload.case.name)

    monkeypatch.setattr(cells_module, "_judge", JUDGE)
    monkeypatch.setattr(cells_module, "judge", refuse)
    results = run_cells(CELLS)
    assert [result.error for result in results] == [f"ZeroDivisionError: {cell.name}" for cell in CELLS]


def test_without_its_model_no_cell_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise simulate.SimulationError("g++ failed")

    monkeypatch.setattr(harness, "build", refuse)
    assert [result.error for result in run_cells(CELLS)] == ["g++ failed"] * 3


def test_cells_of_two_machines_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="2 machines"):
        run_cells([MATRIX.cells[0], MATRIX.cells[-1]])
