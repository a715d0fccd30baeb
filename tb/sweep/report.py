"""The report of a sweep: every cell of the matrix with its result, the illegal ones with their rule, mutants.

`report.json` is for programs; `report.html` shows the same in one file that needs nothing else.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tb.mutants.table import MUTANTS
from tb.sweep.error_verdict import PREDICTION_FACTOR
from tb.sweep.matrix import AXES, Matrix
from tb.sweep.mutant import MutantResult
from tb.sweep.store import Store, sources_hash

_TEMPLATE = Path(__file__).with_name("report.html")
_PLACE = "/*DATA*/"


@dataclass(frozen=True)
class Summary:
    """Counts of a report."""

    cells: int
    passed: int
    failed: int
    not_run: int
    mutants: int
    caught: int
    mutants_not_run: int

    @property
    def ok(self) -> bool:
        """Whatever has run passed."""
        return self.failed == 0 and self.caught + self.mutants_not_run == self.mutants


def collect(matrix: Matrix, store: Store) -> dict[str, Any]:
    """The report as a dictionary of plain values; numbers that JSON does not know are None."""
    cells = []
    for cell in matrix.cells:
        result = store.read(cell)
        entry: dict[str, Any] = {
            "name": cell.name,
            **cell.values,
            "heads": cell.case.problem.heads,
            "kv_seq": cell.case.problem.kv_seq,
            "status": "not run" if result is None else "passed" if result.passed else "failed",
        }
        if result is not None:
            entry |= {key: _plain(value) for key, value in asdict(result).items() if key != "passed"}
            entry["expected_ratio"] = _ratio(result.max_error, result.expected)
            entry["predicted_ratio"] = _ratio(result.max_error, result.predicted)
        cells.append(entry)
    mutants = []
    for mutant in MUTANTS:
        result = store.read(mutant)
        status = "not run" if result is None else "caught" if result.passed else "not caught"
        found = result or MutantResult(mutant.name)
        case = " ".join([mutant.case, *(f"{key}={value}" for key, value in mutant.overrides)])
        mutants.append(
            {
                "name": mutant.name,
                "history": mutant.history,
                "file": mutant.file,
                "case": case,
                "status": status,
                "evidence": found.error or found.evidence,
            }
        )
    status = Counter(cell["status"] for cell in cells)
    caught = Counter(mutant["status"] for mutant in mutants)
    return {
        "sources": sources_hash(),
        "axes": list(AXES),
        "factor": PREDICTION_FACTOR,
        "summary": asdict(
            Summary(
                cells=len(cells),
                passed=status["passed"],
                failed=status["failed"],
                not_run=status["not run"],
                mutants=len(mutants),
                caught=caught["caught"],
                mutants_not_run=caught["not run"],
            )
        ),
        "coinciding": matrix.coinciding,
        "cells": cells,
        "illegal": [{"name": cell.name, **cell.values, "rule": cell.rule} for cell in matrix.illegal],
        "mutants": mutants,
    }


def write(content: dict[str, Any], folder: Path) -> list[Path]:
    """Write `report.json` and `report.html` into `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, allow_nan=False)
    page = _TEMPLATE.read_text().replace(_PLACE, text.replace("</", "<\\/"))
    paths = [folder / "report.json", folder / "report.html"]
    for path, body in zip(paths, (json.dumps(content, allow_nan=False, indent=1) + "\n", page), strict=True):
        scratch = path.with_suffix(".new")
        scratch.write_text(body)
        scratch.replace(path)
    return paths


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _ratio(measured: float, predicted: float) -> float | None:
    """Measured by predicted, 1 when both are 0; None where there is no such number."""
    if measured == predicted:
        return 1.0
    return measured / predicted if predicted and math.isfinite(measured) else None
