"""The sweep without a simulator: the matrix, the units of work, the store, and the report."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from plena_ref.analysis.error_prediction import Prediction
from plena_ref.machine.reference import Machine
from plena_ref.workloads.build import build, place
from plena_ref.workloads.case import DEFAULT_HARDWARE
from plena_ref.workloads.registry import SMALL_HARDWARE
from scripts import sweep
from tb.engine import simulate
from tb.mutants.table import MUTANTS
from tb.sweep import matrix as matrices
from tb.sweep import plan as plans
from tb.sweep import report, store, workers
from tb.sweep.cell import CellResult
from tb.sweep.error_verdict import agrees
from tb.sweep.matrix import AXES, MatrixError, length
from tb.sweep.mutant import MutantResult
from tb.sweep.unit import UNIT_CELLS, UNIT_WORK, Unit, cut

MATRIX = matrices.load()
MLENS, BLENS = (8, 16, 32, 64, 128, 256), (4, 8, 16, 32, 64)
HEAD_DIMS, MASKS = (16, 64, 128), ("causal", "full", "cached")


def seqs(mlen: int) -> set[int]:
    return {1, 4, 16, mlen - 1, mlen, mlen + 1, 2 * mlen + 3, 128}


# The matrix


def test_the_matrix_holds_every_combination_once() -> None:
    """Legal or illegal, each has its place; PLENA's own machine and sequence length come on top."""
    wanted = {
        (mlen, blen, batch, seq, head_dim, mask)
        for mlen, blen, batch, head_dim, mask in product(MLENS, BLENS, (1, 2, 3), HEAD_DIMS, MASKS)
        for seq in seqs(mlen)
    }
    wanted |= {(256, 64, batch, 64, dim, mask) for batch, dim, mask in product((1, 2, 3), HEAD_DIMS, MASKS)}
    found = [tuple(item.values[axis] for axis in AXES) for item in (*MATRIX.cells, *MATRIX.illegal)]
    assert set(found) == wanted and len(found) == len(wanted)
    declared = 6 * 5 * 3 * 8 * 3 * 3 + 27
    assert len(found) + MATRIX.coinciding == declared
    assert len({item.name for item in (*MATRIX.cells, *MATRIX.illegal)}) == len(found)


def test_illegal_combinations_are_named_with_their_rule() -> None:
    assert {item.rule for item in MATRIX.illegal} == {"BLEN must not exceed MLEN"}
    assert all(item.values["blen"] > item.values["mlen"] for item in MATRIX.illegal)
    assert all(cell.values["blen"] <= cell.values["mlen"] for cell in MATRIX.cells)


def test_a_cell_is_the_case_that_its_values_say() -> None:
    for cell in MATRIX.cells:
        case, values = cell.case, cell.values
        assert cell.machine == (values["mlen"], values["blen"])
        assert (case.problem.batch, case.problem.seq, case.problem.head_dim) == (
            values["batch"],
            values["seq"],
            values["head_dim"],
        )
        cache = case.problem.kv_seq - case.problem.seq
        wanted = {"causal": (True, 0), "full": (False, 0), "cached": (True, values["mlen"] + 5)}
        assert (case.problem.causal, cache) == wanted[values["mask"]]
        assert case.problem.heads == {1: 2, 2: 2, 3: 1}[case.problem.batch]
    assert len({cell.case.seed for cell in MATRIX.cells}) > 0.999 * len(MATRIX.cells)


@pytest.mark.parametrize("mlen", MLENS)
def test_the_largest_cells_fit_their_machine(mlen: int) -> None:
    cells = [cell for cell in MATRIX.cells if cell.case.hardware.mlen == mlen]
    top = max(cell.case.problem.kv_seq for cell in cells)
    largest = [cell.case for cell in cells if cell.case.problem.kv_seq == top]
    assert largest
    for case in largest:
        place(case)


def test_the_largest_cell_takes_less_than_a_minute_in_the_reference_machine() -> None:
    """Most products, on the machine that needs the most instructions for them; processor time."""
    largest = max(MATRIX.cells, key=lambda cell: (cell.work, -cell.machine[1]))
    assert largest.name == "mlen256-blen4-batch2-seq515-hd128-cached"
    workload = build(largest.case)
    machine = Machine(largest.case.hardware, workload.images, workload.limit)
    started = time.process_time()
    assert machine.run(workload.words).status == "stopped"
    assert time.process_time() - started < 60


def test_the_machines_of_the_registered_cases_share_their_models() -> None:
    machines = {cell.machine: cell.case.hardware for cell in MATRIX.cells}
    assert machines[16, 4] == SMALL_HARDWARE and machines[64, 16] == DEFAULT_HARDWARE
    assert {(16, 4), (64, 16)} <= {cell.machine for cell in MATRIX.quick_cells()}


def test_the_quick_part_has_every_value_of_every_axis() -> None:
    cells = MATRIX.quick_cells()
    assert len({cell.name for cell in cells}) == len(cells) >= 60
    assert cells == MATRIX.quick_cells()
    for axis, wanted in {"mlen": MLENS, "blen": BLENS, "batch": (1, 2, 3), "head_dim": HEAD_DIMS}.items():
        assert {cell.values[axis] for cell in cells} == set(wanted), axis
    assert {cell.values["mask"] for cell in cells} == set(MASKS)
    for seq in (1, 4, 16, "MLEN-1", "MLEN", "MLEN+1", "2*MLEN+3", 128):
        assert any(cell.case.problem.seq == length(seq, cell.machine[0]) for cell in cells), seq
    assert any(cell.machine == (256, 64) and cell.case.problem.seq == 64 for cell in cells)
    assert len({cell.case.hardware for cell in cells}) == 6, "more models than need be"


@pytest.mark.parametrize(("text", "elements"), [(7, 7), ("MLEN", 32), ("MLEN-1", 31), ("2*MLEN+3", 67)])
def test_lengths(text: int | str, elements: int) -> None:
    assert length(text, 32) == elements


@pytest.mark.parametrize("text", ["", "BLEN", "MLEN*2", True, "MLEN+", 1.5])
def test_a_length_that_is_none_is_refused(text: object) -> None:
    with pytest.raises(MatrixError, match="is no length"):
        length(text, 32)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[heads]", "[head]", "'heads' is missing"),
        ('mask = ["causal"', 'mask = ["casual"', "'casual' is missing"),
        ("mlen = [8,", "mlen = 8,", "matrix.toml: "),
        ("[axes]", "[axes]\nheads = [1]", "heads: no axis; there are mlen, "),
        ('"MLEN-1"', '"MLEN/2"', "'MLEN/2' is no length"),
    ],
)
def test_a_matrix_file_with_a_mistake_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = matrices.MATRIX_FILE.read_text()
    assert old in text
    file = tmp_path / "matrix.toml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(MatrixError, match=re.escape(message)):
        matrices.load(file)


def test_slices() -> None:
    assert MATRIX.slice({}) == MATRIX.cells
    chosen = MATRIX.slice({"mlen": ["8", "16"], "mask": ["cached"], "seq": ["128"]})
    assert {cell.machine for cell in chosen} == {(8, 4), (8, 8), (16, 4), (16, 8), (16, 16)}
    assert {(cell.values["mask"], cell.case.problem.seq) for cell in chosen} == {("cached", 128)}
    over = MATRIX.slice({"seq": ["2*MLEN+3"], "blen": ["4"], "batch": ["3"]})
    assert {(cell.machine[0], cell.case.problem.seq) for cell in over} == {
        (mlen, 2 * mlen + 3) for mlen in MLENS
    }
    with pytest.raises(MatrixError, match="no legal cell has MLEN=12; there are 8, 16, 32"):
        MATRIX.slice({"mlen": ["8", "12"]})
    with pytest.raises(MatrixError, match="HEADS is no axis; there are MLEN, BLEN"):
        MATRIX.slice({"heads": ["1"]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["MLEN=12"], "no legal cell has MLEN=12"),
        (["FOO=1"], "FOO is no axis"),
        (["LIMIT=some"], "LIMIT=some is not an integer"),
        (["JOBS=0"], "JOBS=0 lies outside 1"),
        (["MATRIX=nowhere.toml"], "nowhere.toml"),
    ],
)
def test_a_wrong_option_says_why(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(sweep, "FOLDER", tmp_path / "sweep")
    assert sweep.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "sweep").exists()


def test_an_interrupted_sweep_leaves_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def interrupt(*_arguments) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "FOLDER", tmp_path)
    monkeypatch.setattr(simulate, "find_tool", lambda _name: None)
    monkeypatch.setattr(workers, "run_here", interrupt)
    assert sweep.main(["MLEN=8", "SEQ=1"]) == 1
    assert "the same command goes on from here" in capsys.readouterr().err
    assert json.loads((tmp_path / "report.json").read_text())["summary"]["not_run"] == len(MATRIX.cells)


def test_a_worker_with_other_sources_refuses() -> None:
    unit = asdict(Unit((MATRIX.cells[0].name,)))
    with pytest.raises(workers.WorkersError, match="other sources"):
        workers.work(unit, matrices.MATRIX_FILE.read_text(), "of yesterday")


# Units


def test_units_hold_every_cell_once_and_one_machine_each() -> None:
    units = cut(MATRIX.cells, MUTANTS)
    names = [name for unit in units for name in unit.cells]
    assert sorted(names) == sorted(cell.name for cell in MATRIX.cells)
    assert [unit.mutant for unit in units if unit.mutant] == [mutant.name for mutant in MUTANTS]
    for unit in units:
        cells = [MATRIX.by_name[name] for name in unit.cells]
        assert len({cell.machine for cell in cells}) == (0 if unit.mutant else 1)
        assert len(cells) <= UNIT_CELLS
        assert len(cells) <= 1 or sum(cell.work for cell in cells) <= UNIT_WORK
    assert len({MATRIX.by_name[unit.cells[0]].machine for unit in units[:24]}) == 24, "machines take turns"


# The store


CELL = MATRIX.cells[5]
GOOD = CellResult(CELL.name, True, bit_exact=True, match_percent=100.0, max_error=0.02, predicted=0.02)


def test_results_come_back_as_they_went(tmp_path: Path) -> None:
    kept = store.Store(tmp_path)
    assert kept.read(CELL) is None and not kept.done(CELL)
    for result in (GOOD, replace(GOOD, passed=False, reasons=("a", "b"), max_error=float("inf"))):
        kept.write(CELL, result)
        assert kept.read(CELL) == result and kept.done(CELL)
    caught = MutantResult(MUTANTS[0].name, True, "batch 0: 3% within")
    kept.write(MUTANTS[0], caught)
    assert kept.read(MUTANTS[0]) == caught
    assert kept.read(MUTANTS[1]) is None
    assert len(list(tmp_path.iterdir())) == 2


def test_a_result_belongs_to_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another case under the same name, or other sources, have no result."""
    kept = store.Store(tmp_path)
    kept.write(CELL, GOOD)
    assert kept.done(replace(CELL))
    assert not kept.done(replace(CELL, case=replace(CELL.case, sigma=1.0)))
    monkeypatch.setattr(store, "sources_hash", lambda: "other")
    assert not kept.done(CELL)


def test_every_source_counts(tmp_path: Path) -> None:
    for source in store.SOURCES:
        assert (simulate.REPO / source).exists(), source
        place = tmp_path / source
        if "." not in source:
            place = place / "file.sv"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("before")
    hashes = {store.sources_hash(tmp_path)}
    for source in store.SOURCES:
        store.sources_hash.cache_clear()
        place = tmp_path / source
        (place if place.is_file() else place / "file.sv").write_text(f"changed {source}")
        hashes.add(store.sources_hash(tmp_path))
    store.sources_hash.cache_clear()
    assert len(hashes) == 1 + len(store.SOURCES)


def test_a_plan_leaves_out_what_has_a_result(tmp_path: Path) -> None:
    """What could not be run before is tried again; the plan survives its file."""
    kept = store.Store(tmp_path / "results")
    cells = MATRIX.cells[:3]
    kept.write(cells[0], replace(GOOD, name=cells[0].name))
    kept.write(cells[1], CellResult(cells[1].name, error="the simulation broke"))
    kept.write(MUTANTS[0], MutantResult(MUTANTS[0].name, True))
    plan = plans.make(matrices.MATRIX_FILE, kept, cells, MUTANTS[:2])
    assert plan.units == (Unit((cells[1].name, cells[2].name)), Unit(mutant=MUTANTS[1].name))
    assert plan.done() == 0
    plans.write(plan, tmp_path / "plan")
    again = plans.read(tmp_path / "plan")
    assert again.units == plan.units
    again.keep(again.units[1], [MutantResult(MUTANTS[1].name, True)])
    assert plan.done() == 1
    with pytest.raises(ValueError, match="results of"):
        again.keep(again.units[0], [GOOD])


# The report


@pytest.mark.parametrize(
    ("error", "predicted", "good"),
    [
        (0.0, 0.0, True),
        (0.01, 0.0, False),
        (0.0, 0.01, False),
        (0.0199, 0.01, True),
        (0.0201, 0.01, False),
        (0.0051, 0.01, True),
        (0.0049, 0.01, False),
        (float("inf"), 0.01, False),
    ],
)
def test_the_error_must_be_near_the_prediction(error: float, predicted: float, good: bool) -> None:
    assert agrees(error, Prediction(predicted, 0.0, np.zeros(1))) is good


def reported(folder: Path) -> tuple[dict, str]:
    """A report: a cell passed, one failed, one broke; a mutant was caught, one escaped."""
    kept = store.Store(folder / "results")
    cells = MATRIX.cells
    kept.write(cells[0], replace(GOOD, name=cells[0].name, expected=0.01))
    hostile = "not bit-exact: </script><b>"
    kept.write(cells[1], replace(GOOD, name=cells[1].name, passed=False, reasons=(hostile,)))
    kept.write(cells[2], CellResult(cells[2].name, max_error=float("inf"), predicted=0.1, error="it broke"))
    kept.write(MUTANTS[0], MutantResult(MUTANTS[0].name, True, "batch 0: 3%"))
    kept.write(MUTANTS[1], MutantResult(MUTANTS[1].name, False, "PASS"))
    paths = report.write(report.collect(MATRIX, kept), folder)
    assert [path.name for path in paths] == ["report.json", "report.html"]
    return json.loads(paths[0].read_text()), paths[1].read_text()


def test_the_report_has_every_cell_once_and_counts_them(tmp_path: Path) -> None:
    content, _ = reported(tmp_path)
    cells = content["cells"]
    assert [cell["name"] for cell in cells] == [cell.name for cell in MATRIX.cells]
    assert [cell["status"] for cell in cells[:4]] == ["passed", "failed", "failed", "not run"]
    assert (cells[0]["expected_ratio"], cells[0]["predicted_ratio"]) == (2.0, 1.0)
    assert cells[2]["max_error"] is None and cells[2]["predicted_ratio"] is None
    assert cells[2]["error"] == "it broke"
    assert {item["rule"] for item in content["illegal"]} == {item.rule for item in MATRIX.illegal}
    assert content["summary"] == {
        "cells": len(MATRIX.cells),
        "passed": 1,
        "failed": 2,
        "not_run": len(MATRIX.cells) - 3,
        "mutants": len(MUTANTS),
        "caught": 1,
        "mutants_not_run": len(MUTANTS) - 2,
    }


def test_the_report_names_the_case_that_catches_each_mutant(tmp_path: Path) -> None:
    content, _ = reported(tmp_path)
    assert [entry["name"] for entry in content["mutants"]] == [mutant.name for mutant in MUTANTS]
    for entry, mutant in zip(content["mutants"], MUTANTS, strict=True):
        assert entry["case"].split()[0] == mutant.case
        assert entry["history"] == mutant.history
    statuses = [entry["status"] for entry in content["mutants"]]
    assert statuses == ["caught", "not caught"] + ["not run"] * (len(MUTANTS) - 2)


def test_the_page_stands_alone(tmp_path: Path) -> None:
    """One file without a reference to another, and data cannot end its script."""
    content, page = reported(tmp_path)
    assert "://" not in page and not re.search(r"\b(src|href)\s*=", page)
    assert page.count("</script>") == 1
    data = re.search(r"^const data = (.*);$", page, re.MULTILINE)
    assert data and json.loads(data[1]) == content


@pytest.mark.parametrize(
    ("passed", "failed", "caught", "not_tried", "ok"),
    [(3, 0, 2, 0, True), (3, 1, 2, 0, False), (3, 0, 1, 0, False), (3, 0, 1, 1, True), (0, 0, 0, 2, True)],
)
def test_a_summary_is_ok_when_nothing_that_ran_failed(
    passed: int, failed: int, caught: int, not_tried: int, ok: bool
) -> None:
    assert report.Summary(9, passed, failed, 9 - passed - failed, 2, caught, not_tried).ok is ok
