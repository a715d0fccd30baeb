"""The report of a sweep: every cell of the matrix with its result, the illegal ones with their rule, mutants.

`report.json` is for programs; `report.html` shows the same in one file that needs nothing else.
"""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

from tb.mutants.swept import SWEPT
from tb.mutants.table import Mutant
from tb.report.run_page import head
from tb.sweep import cell_page, litter, problems
from tb.sweep.cell import CellResult
from tb.sweep.error_verdict import EXPECTED_FACTOR, PREDICTION_FACTOR
from tb.sweep.make_sim import command
from tb.sweep.matrix import Cell, Matrix
from tb.sweep.mutant import MutantResult
from tb.sweep.report_content import CellEntry, Item, MutantEntry, Report
from tb.sweep.store import Store
from tb.sweep.unit import Result

_TEMPLATE = Path(__file__).with_name("report.html")
_PLACE, _HEAD = "/*DATA*/", "<!--HEAD-->\n"
#: Folder of the pages of cells, beside the report.
_PAGES = "cells"


#: The version of the form of `report.json` (docs/result.md).
SCHEMA = 1
#: What becomes of a cell, and of a mutant.
CELL_STATES = ("failed", "could not run", "passed", "not run")
MUTANT_STATES = ("not caught", "could not run", "caught", "not run")


def collect(matrix: Matrix, store: Store, matrix_name: str) -> Report:
    """The report as a dictionary of plain values; numbers that JSON does not know are None."""
    cells = [_cell(cell, store.read(cell)) for cell in matrix.cells]
    mutants = [_mutant(mutant, store.read(mutant)) for mutant in (SWEPT if matrix.of_attention else ())]
    spent: defaultdict[str, float] = defaultdict(float)
    for cell in cells:
        for phase, seconds in cell.get("phases", {}).items():
            spent[phase] += seconds
    spent["mutants"] = sum(mutant["seconds"] for mutant in mutants)
    longest = sorted(spent.items(), key=lambda entry: entry[1], reverse=True)
    return {
        "schema": SCHEMA,
        "sources": store.key,
        "matrix": matrix_name,
        "axes": list(matrix.axes),
        "factor": PREDICTION_FACTOR,
        "closed_form_factor": EXPECTED_FACTOR,
        "summary": {
            "cells": _counts(cells, CELL_STATES),
            "mutants": _counts(mutants, MUTANT_STATES),
        },
        "seconds": {name: round(seconds, 2) for name, seconds in longest},
        "coinciding": matrix.coinciding,
        "cells": cells,
        "illegal": [{"name": cell.name, **cell.values, "rule": cell.rule} for cell in matrix.illegal],
        "mutants": mutants,
    }


def _counts(items: Sequence[Item], states: Sequence[str]) -> dict[str, int]:
    found = Counter(item["status"] for item in items)
    return {state: found[state] for state in states}


def _status(result: Result | None, good: str, bad: str) -> str:
    if result is None:
        return "not run"
    if result.error is not None:
        return "could not run"
    return good if result.passed else bad


def _cell(cell: Cell, result: CellResult | None) -> CellEntry:
    status = _status(result, "passed", "failed")
    entry: dict[str, object] = {
        "name": cell.name,
        **cell.values,
        "heads": problems.heads(cell.case),
        "kv_seq": problems.keys(cell.case),
        "status": status,
        "command": command(cell.case),
        "why": "",
    }
    if result is not None:
        entry["why"] = result.error or "; ".join(result.reasons)
    if result is not None and result.error is None:
        values = asdict(result)
        for key in ("passed", "name", "error", "page"):
            del values[key]
        entry |= {key: _plain(value) for key, value in values.items()}
        entry["expected_ratio"] = _ratio(result.max_error, result.expected)
        entry["predicted_ratio"] = _ratio(result.max_error, result.predicted)
        if status == "passed":
            del entry["error_map"]
        else:
            entry["page"] = _page_of(cell) if result.page else ""
    return cast(CellEntry, entry)  # cast: axes and results come by name


def _mutant(mutant: Mutant, result: MutantResult | None) -> MutantEntry:
    found = result or MutantResult(mutant.name)
    return {
        "name": mutant.name,
        "history": mutant.history,
        "file": mutant.file,
        "case": " ".join([mutant.case, *(f"{key}={value}" for key, value in mutant.overrides)]),
        "status": _status(result, "caught", "not caught"),
        "why": found.error or found.evidence,
        "seconds": found.seconds,
    }


def _page_of(cell: Cell) -> str:
    """Where the page of a cell lies, beside the report."""
    return f"{_PAGES}/{cell.name}.html"


def pages(matrix: Matrix, store: Store) -> dict[str, str]:
    """The pages of the cells that failed, by their places beside the report."""
    results = ((cell, store.read(cell)) for cell in matrix.cells)
    return {
        _page_of(cell): cell_page.unpack(result.page)
        for cell, result in results
        if result is not None and result.page
    }


def write(content: Report, folder: Path, beside: Mapping[str, str]) -> list[Path]:
    """Write `report.json`, `report.html` and the pages `beside` them into `folder`; returns the first two."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, allow_nan=False)
    page = (
        _TEMPLATE.read_text().replace(_HEAD, head("PLENA sweep")).replace(_PLACE, text.replace("</", "<\\/"))
    )
    shutil.rmtree(folder / _PAGES, ignore_errors=True)
    for name, body in beside.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(body, encoding="utf-8")
    paths = [folder / "report.json", folder / "report.html"]
    for path, body in zip(paths, (json.dumps(content, allow_nan=False, indent=1) + "\n", page), strict=True):
        scratch = path.with_name(f"{litter.prefix()}{path.name}")
        scratch.write_text(body)
        scratch.replace(path)
    return paths


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _ratio(measured: float, predicted: float) -> float | None:
    """Measured by predicted, 1 when both are 0; None where there is no such number."""
    if measured == predicted:
        return 1.0
    return measured / predicted if predicted and math.isfinite(measured) else None
