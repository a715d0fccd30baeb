"""A sweep's way through its plan, with workers that fail in every way: no cell is lost, none counts twice."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tb.mutants.table import MUTANTS
from tb.sweep import dispatch
from tb.sweep.cell import CellResult
from tb.sweep.dispatch import Died, Dispatcher, Gone, Place, WorkersError
from tb.sweep.mutant import MutantResult
from tb.sweep.plan import Plan
from tests.sweep.plans import MATRIX, good, plan

CELLS = MATRIX.slice({"mlen": ["8"], "blen": ["4"]})[:12]
ABOUT = {"kind": "verilator", "cache": "shared", "holds": []}

Answer = Callable[[str, dict[str, Any]], dict[str, Any]]


def works(_worker: str, request: dict[str, Any]) -> dict[str, Any]:
    """What a good worker answers."""
    if request["task"] == "check":
        return ABOUT
    unit = request["unit"]
    if unit["mutant"]:
        return {"results": [asdict(MutantResult(unit["mutant"], True, "FAIL", seconds=1.0))]}
    cells = [] if unit["build"] else unit["cells"]
    return {"results": [asdict(good(MATRIX.by_name[name])) for name in cells]}


class Fake:
    """Workers that answer as they are told; all names that ran, and where, are kept."""

    name = "tcp://fake:1"

    def __init__(self, answers: dict[str, Answer], workers_may_come: bool = True) -> None:
        self.answers = answers
        self.workers_may_come = workers_may_come
        self.ran: list[tuple[str, str]] = []
        self.here = set(answers)

    async def places(self) -> dict[str, Place]:
        return {name: Place(name, 1) for name in sorted(self.here)}

    async def ask(self, worker: str, request: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0.002)
        if worker not in self.here:
            await asyncio.sleep(3600)
        answer = json.loads(json.dumps(self.answers[worker](worker, request)))
        if request["task"] == "run":
            unit = request["unit"]
            self.ran += [(name, worker) for name in ([] if unit["build"] else unit["cells"])]
        return answer


def sweep(
    folder: Path, backend: Fake, monkeypatch: pytest.MonkeyPatch, patience: float = 0.2
) -> tuple[Plan, list[str], str]:
    """Run a plan of all cells and a mutant; the plan, what the user was told, and the error."""
    monkeypatch.setattr(dispatch, "INTERVAL", 0.01)
    folder.mkdir(exist_ok=True)
    (folder / "seconds.json").write_text(json.dumps({cell.name: 3.0 for cell in CELLS}))
    made = plan(folder, CELLS, MUTANTS[:1])
    said: list[str] = []
    dispatcher = Dispatcher(made, backend, lambda line: None, said.append, lambda done: None, patience)
    try:
        asyncio.run(asyncio.wait_for(dispatcher.run(), 30))
    except WorkersError as error:
        return made, said, str(error)
    return made, said, ""


def states(made: Plan) -> Counter[str]:
    found: Counter[str] = Counter()
    for item in made.items.values():
        result = made.store.read(item)
        found["none" if result is None else "error" if result.error else "good"] += 1
    return found


def test_all_is_done_and_the_seconds_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Fake({"a": works, "b": works})
    made, said, error = sweep(tmp_path, backend, monkeypatch)
    assert (states(made), said, error) == (Counter(good=13), [], "")
    assert Counter(name for name, _ in backend.ran) == Counter(cell.name for cell in CELLS)
    assert made.seconds.of_cell(CELLS[0]) == 1.0 and made.seconds.of_model("8/4") < 1.0


def test_no_workers_is_said_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, said, error = sweep(tmp_path, Fake({}), monkeypatch)
    assert said == ["no worker at tcp://fake:1 yet; waiting for 0 s at most"]
    assert error == "no worker at tcp://fake:1 can take the 13 cells and mutants left"
    assert states(made) == Counter(none=13)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"refused": "source rtl/a.sv is 1, the sweep's 2"}, "source rtl/a.sv is 1, the sweep's 2"),
        ({"refused": "/build cannot be written: Read-only file system"}, "/build cannot be written"),
        ({"failed": "ModuleNotFoundError: numpy"}, "ModuleNotFoundError: numpy"),
        (Died("exit status 1; No module named tb"), "No module named tb"),
        (Gone("connection refused"), "connection refused"),
    ],
)
def test_a_worker_that_fails_its_check_takes_no_work(
    answer: dict[str, str] | Exception, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad(_worker: str, _request: dict[str, Any]) -> dict[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    backend = Fake({"bad": bad, "fine": works})
    made, said, error = sweep(tmp_path, backend, monkeypatch)
    assert (states(made), error) == (Counter(good=13), "")
    assert len(said) == 1 and said[0].startswith("bad takes no work: ") and why in said[0]
    assert {worker for _, worker in backend.ran} == {"fine"}
    made, said, error = sweep(tmp_path / "alone", Fake({"bad": bad}), monkeypatch)
    assert states(made) == Counter(none=13)
    assert "can take the 13 cells and mutants left; bad: " in error and why in error


def test_here_nobody_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources that change under a sweep of this machine end it, whatever its patience."""
    asked = []

    def changed(worker: str, request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        return works(worker, request) if len(asked) < 4 else {"refused": "source a.py is 2, the sweep's 1"}

    made, _, error = sweep(tmp_path, Fake({"here": changed}, False), monkeypatch, patience=3600)
    assert "source a.py is 2, the sweep's 1" in error
    assert states(made)["none"] > 0


def test_a_worker_that_goes_bad_gets_no_more_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its disk fills up: what failed there runs elsewhere, and its check takes it out."""
    full: list[str] = []

    def filling(worker: str, request: dict[str, Any]) -> dict[str, Any]:
        if request["task"] == "check":
            return {"refused": "/build has 0 MiB free"} if full else ABOUT
        full.extend(request["unit"]["cells"])
        errors = [CellResult(name, error="OSError: No space left") for name in request["unit"]["cells"]]
        return (
            {"results": [asdict(error) for error in errors]}
            if request["unit"]["cells"]
            else works(worker, request)
        )

    def slow_check(worker: str, request: dict[str, Any]) -> dict[str, Any]:
        return works(worker, request)

    backend = Fake({"a": filling, "b": slow_check})
    made, said, error = sweep(tmp_path, backend, monkeypatch)
    assert (states(made), error) == (Counter(good=13), "")
    assert full and said == ["a takes no work: /build has 0 MiB free"]


def test_a_cell_that_raises_everywhere_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    culprit = CELLS[3].name

    def raising(worker: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = works(worker, request)
        for values in answer.get("results", ()):
            if values["name"] == culprit:
                values |= asdict(CellResult(culprit, error="ValueError: bad cell"))
        return answer

    backend = Fake({"a": raising, "b": raising})
    made, _, error = sweep(tmp_path, backend, monkeypatch)
    assert error == "" and states(made) == Counter(good=12, error=1)
    result = made.store.read(MATRIX.by_name[culprit])
    assert result is not None and result.error is not None and "ValueError: bad cell (on " in result.error
    assert {worker for name, worker in backend.ran if name == culprit} == {"a", "b"}


def test_a_cell_that_kills_its_process_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    culprit = CELLS[3].name

    def dying(worker: str, request: dict[str, Any]) -> dict[str, Any]:
        if request["task"] == "run" and culprit in request["unit"]["cells"] and not request["unit"]["build"]:
            raise Died("signal 9")
        return works(worker, request)

    made, _, error = sweep(tmp_path, Fake({"a": dying}), monkeypatch)
    assert error == "" and states(made) == Counter(good=12, error=1)
    result = made.store.read(MATRIX.by_name[culprit])
    assert result is not None and result.error == "its process died: signal 9 (on a)"


def test_a_model_that_cannot_be_built_says_so_for_its_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_compiler(worker: str, request: dict[str, Any]) -> dict[str, Any]:
        if request["task"] == "run" and request["unit"]["build"]:
            return {"failed": "SimulationError: g++ failed"}
        return works(worker, request)

    made, _, error = sweep(tmp_path, Fake({"a": without_compiler}), monkeypatch)
    assert error == "" and states(made) == Counter(good=1, error=12)
    result = made.store.read(CELLS[0])
    assert result is not None and result.error == "SimulationError: g++ failed (on a)"


def test_nothing_is_lost_with_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It vanishes in the middle of a unit, which another one runs; its own answer would come too late."""

    def vanishing(worker: str, request: dict[str, Any]) -> dict[str, Any]:
        if request["task"] == "run" and not request["unit"]["build"]:
            backend.here.discard(worker)
            raise Gone("killed")
        return works(worker, request)

    backend = Fake({"a": vanishing, "b": works})
    made, _, error = sweep(tmp_path, backend, monkeypatch)
    assert (states(made), error) == (Counter(good=13), "")
    assert {worker for _, worker in backend.ran} == {"b"}


def test_a_worker_that_comes_later_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Fake({"late": works})
    backend.here.clear()

    async def places() -> dict[str, Place]:
        places.calls += 1  # type: ignore[attr-defined]
        return {"late": Place("late", 2)} if places.calls > 3 else {}  # type: ignore[attr-defined]

    places.calls = 0  # type: ignore[attr-defined]
    backend.places = places  # type: ignore[method-assign]
    backend.here.add("late")
    made, said, error = sweep(tmp_path, backend, monkeypatch)
    assert (states(made), error) == (Counter(good=13), "")
    assert len(said) == 1


@pytest.mark.parametrize("results", [[], [{"name": 1}], [asdict(good(CELLS[-1]))] * 2])
def test_a_worker_that_answers_nonsense_is_turned_away(
    results: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nonsense(worker: str, request: dict[str, Any]) -> dict[str, Any]:
        if request["task"] == "run" and not request["unit"]["build"]:
            return {"results": results}
        return works(worker, request)

    made, said, error = sweep(tmp_path, Fake({"bad": nonsense}), monkeypatch)
    assert states(made) == Counter(none=13)
    assert len(said) >= 1 and said[0].startswith("bad takes no work: it answered with")
    assert "bad: it answered with" in error


def test_the_scheduler_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come by then is kept."""
    backend = Fake({"a": works})

    async def places() -> dict[str, Place]:
        if len(backend.ran) >= 1:
            raise WorkersError("the dask scheduler is gone")
        return {"a": Place("a", 1)}

    backend.places = places  # type: ignore[method-assign]
    made, _, error = sweep(tmp_path, backend, monkeypatch)
    assert error == "the dask scheduler is gone"
    assert states(made)["good"] >= 1
