"""The report: three ways not to pass, every cell once, a command for each, and a page that stands alone."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from plena_ref.workloads.registry import CASES
from tb.mutants.swept import SWEPT
from tb.sweep import cell_page, make_sim, report, summary
from tb.sweep.cell import CellResult
from tb.sweep.error_map import SIZE, error_map
from tb.sweep.mutant import MutantResult
from tb.sweep.store import Store
from tb.system import schemas
from tests.sweep.plans import MATRIX, good

CELLS = MATRIX.cells
#: The page of a cell, packed.
PAGE = cell_page.pack("<p>why</p>")


def reported(folder: Path) -> tuple[dict, str]:
    """A report: a cell passed, one failed, one could not run; a mutant was caught, one escaped."""
    kept = Store(folder / "results", "key")
    kept.write(CELLS[0], good(CELLS[0]))
    hostile = "not bit-exact: </script><b>"
    kept.write(
        CELLS[1], replace(good(CELLS[1]), passed=False, reasons=(hostile,), max_error=float("inf"), page=PAGE)
    )
    kept.write(CELLS[2], CellResult(CELLS[2].name, error="it broke"))
    kept.write(SWEPT[0], MutantResult(SWEPT[0].name, True, "batch 0: 3%", seconds=5.0))
    kept.write(SWEPT[1], MutantResult(SWEPT[1].name, False, "PASS"))
    beside = report.pages(MATRIX, kept)
    paths = report.write(report.collect(MATRIX, kept, "matrix.toml"), folder, beside)
    assert [path.name for path in paths] == ["report.json", "report.html"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "cells",
        "report.html",
        "report.json",
        "results",
    ]
    content = json.loads(paths[0].read_text())
    assert schemas.errors("report", content) == []
    return content, paths[1].read_text()


def test_the_report_has_every_cell_once_with_its_state(tmp_path: Path) -> None:
    content, _ = reported(tmp_path)
    cells = content["cells"]
    assert [cell["name"] for cell in cells] == [cell.name for cell in CELLS]
    assert [cell["status"] for cell in cells[:4]] == ["passed", "failed", "could not run", "not run"]
    assert (cells[0]["expected_ratio"], cells[0]["predicted_ratio"]) == (2.0, 1.0)
    assert cells[1]["max_error"] is None and cells[1]["predicted_ratio"] is None
    assert cells[1]["error_map"] == "0z/00" and "error_map" not in cells[0]
    assert (tmp_path / cells[1]["page"]).read_text() == "<p>why</p>" and "page" not in cells[0]
    assert [path.name for path in (tmp_path / "cells").iterdir()] == [f"{CELLS[1].name}.html"]
    assert cells[2]["why"] == "it broke" and "match_percent" not in cells[2], "numbers of what never ran"
    assert {item["rule"] for item in content["illegal"]} == {item.rule for item in MATRIX.illegal}
    counts = content["summary"]
    assert counts["cells"] == {"passed": 1, "failed": 1, "could not run": 1, "not run": len(CELLS) - 3}
    assert counts["mutants"] == {
        "caught": 1,
        "not caught": 1,
        "could not run": 0,
        "not run": len(SWEPT) - 2,
    }
    assert content["seconds"] == {"mutants": 5.0, "reference": 2.0}


def test_the_report_names_the_case_that_catches_each_mutant(tmp_path: Path) -> None:
    content, _ = reported(tmp_path)
    assert [entry["name"] for entry in content["mutants"]] == [mutant.name for mutant in SWEPT]
    for entry, mutant in zip(content["mutants"], SWEPT, strict=True):
        assert entry["case"].split()[0] == mutant.case
        assert entry["history"] == mutant.history
    statuses = [entry["status"] for entry in content["mutants"]]
    assert statuses == ["caught", "not caught"] + ["not run"] * (len(SWEPT) - 2)


def test_the_command_of_a_cell_runs_its_case() -> None:
    for cell in CELLS:
        words = make_sim.command(cell.case).split()
        assert words[:2] == ["make", "sim"]
        given = dict(word.split("=") for word in words[2:])
        case = CASES[given.pop("TEST")].override(**given)
        assert (
            replace(case, name=cell.name, tolerance=cell.case.tolerance, simulators=cell.case.simulators)
            == cell.case
        )


def test_the_page_stands_alone(tmp_path: Path) -> None:
    """One file without a reference to another, and data cannot end its script."""
    content, page = reported(tmp_path)
    assert not re.search(r'https?:|\bsrc\s*=|<link(?! rel="icon" href="data:,">)|@import|url\(', page)
    assert page.count("</script>") == 1
    data = re.search(r"^const data = (.*);$", page, re.MULTILINE)
    assert data and json.loads(data[1]) == content


def shown(content: dict, names: list[str]) -> tuple[bool, str]:
    text = io.StringIO()
    return summary.show(content, names, Console(file=text, width=200)), text.getvalue()


def small(*states: str) -> dict:
    cells = [
        {"name": f"cell {number}", "status": state, "why": "because"} for number, state in enumerate(states)
    ]
    counts = dict.fromkeys(report.CELL_STATES, 0) | {state: states.count(state) for state in states}
    return {
        "cells": cells,
        "mutants": [],
        "illegal": [],
        "summary": {"cells": counts, "mutants": dict.fromkeys(report.MUTANT_STATES, 0)},
    }


@pytest.mark.parametrize(
    ("states", "chosen", "success"),
    [
        (["passed", "passed"], [0, 1], True),
        (["passed", "not run"], [0], True),
        (["passed", "not run"], [0, 1], False),
        (["not run", "not run"], [0], False),
        (["passed", "could not run"], [0, 1], False),
        (["passed", "could not run"], [0], True),
        (["passed", "failed"], [0, 1], False),
        (["passed", "failed"], [0], False),
    ],
)
def test_success_needs_a_result_of_everything_chosen(
    states: list[str], chosen: list[int], success: bool
) -> None:
    """None ran is never green; what failed counts, chosen or not, as long as the report shows it."""
    good, text = shown(small(*states), [f"cell {number}" for number in chosen])
    assert good is success
    for state in ("failed", "could not run"):
        assert (f"{state.upper()} cell" in text) == (state in states)
    missing = [number for number in chosen if states[number] == "not run"]
    assert (f"{len(missing)} of those chosen have no result" in text) == bool(missing)


def test_a_long_list_of_failures_is_cut() -> None:
    _, text = shown(small(*["failed"] * 100), [])
    assert text.count("FAILED cell") == summary.MOST and f"and {100 - summary.MOST} more" in text


def test_a_picture_of_the_error() -> None:
    golden = np.zeros((2, 24, 2, 16))
    got = golden.copy()
    got[1, 23, 1, 15] = 2.0
    got[0, 0, 0, 0] = 1e-9
    got[0, 24 // 2, 0, 0] = -1.0
    lines = error_map(got, golden).split("/")
    assert len(lines) == SIZE and {len(line) for line in lines} == {SIZE}
    assert lines[-1][-1] == "z" and lines[0][0] == "1" and lines[4][0] == "i"
    assert sum(digit != "0" for line in lines for digit in line) == 3
    assert set(error_map(golden, golden)) == {"0", "/"}
    got[0, 0, 0, 0] = np.nan
    assert error_map(got, golden)[0] == "z"
    assert error_map(np.ones((1, 1, 1, 3)), np.zeros((1, 1, 1, 3))) == "zzz"
    # 35 * 0.9352690613010743 / 0.9352690613010743 is above 35 in float64.
    assert error_map(np.full((1, 1, 1, 1), 0.9352690613010743), np.zeros((1, 1, 1, 1))) == "z"
