"""Plans and results that tests of the sweep share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tb.mutants.table import Mutant
from tb.sweep import matrix as matrices
from tb.sweep import plan as plan_module
from tb.sweep.cell import CellResult
from tb.sweep.fingerprint import Fingerprint
from tb.sweep.matrix import Cell
from tb.sweep.plan import Plan
from tb.sweep.seconds import Seconds
from tb.sweep.store import Store

TEXT = matrices.MATRIX_FILE.read_text()
MATRIX = matrices.load()
SOURCES = Fingerprint({"a.py": "1"}, {"python": "3"})


def good(cell: Cell, seconds: float = 1.0) -> CellResult:
    """The result of a cell that passed."""
    return CellResult(
        cell.name,
        True,
        bit_exact=True,
        match_percent=100.0,
        max_error=0.02,
        predicted=0.02,
        expected=0.01,
        phases={"reference": seconds},
        error_map="0z/00",
    )


def plan(
    folder: Path,
    cells: Sequence[Cell],
    mutants: Sequence[Mutant] = (),
    sources: Fingerprint = SOURCES,
    warn: Callable[[str], None] = lambda line: None,
) -> Plan:
    """A plan for cells and mutants, with a store and measured seconds of its own in `folder`."""
    store = Store(folder / "results", sources.key, warn)
    return plan_module.make(TEXT, MATRIX, sources, store, Seconds(folder / "seconds.json"), cells, mutants)
