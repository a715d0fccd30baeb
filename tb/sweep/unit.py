"""A unit of work: some cells of one machine, or one mutant. What a worker, of this machine or another, runs.

`python -m tb.sweep.unit UNIT MATRIX RESULTS` reads a unit from a JSON file and leaves its results in another.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any

from tb.mutants.table import MUTANTS, Mutant
from tb.sweep.cell import CellResult, run_cells
from tb.sweep.matrix import Cell, Matrix, load
from tb.sweep.mutant import MutantResult, try_mutant

#: A unit ends when it has this many cells, or this many multiply-accumulates: seconds, a minute at most.
UNIT_CELLS = 12
UNIT_WORK = 40_000_000

Result = CellResult | MutantResult


@dataclass(frozen=True)
class Unit:
    """Names of the cells of one machine, or of one mutant."""

    cells: tuple[str, ...] = ()
    mutant: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What the unit runs."""
        return self.cells if self.mutant is None else (self.mutant,)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Unit:
        """A unit from what `dataclasses.asdict` and JSON made of it."""
        return cls(tuple(value["cells"]), value["mutant"])


def cut(cells: Sequence[Cell], mutants: Iterable[Mutant]) -> list[Unit]:
    """Units of these cells and mutants, machine by turns, so that workers do not wait for one build."""
    queues = []
    for _, group in groupby(sorted(cells, key=lambda cell: cell.machine), key=lambda cell: cell.machine):
        units: list[Unit] = []
        names: list[str] = []
        work = 0
        for cell in group:
            if names and (len(names) == UNIT_CELLS or work + cell.work > UNIT_WORK):
                units.append(Unit(tuple(names)))
                names, work = [], 0
            names.append(cell.name)
            work += cell.work
        units.append(Unit(tuple(names)))
        queues.append(units)
    turns = zip_longest(*queues, [Unit(mutant=mutant.name) for mutant in mutants])
    return [unit for turn in turns for unit in turn if unit is not None]


def run(unit: Unit, matrix: Matrix) -> list[Result]:
    """Run a unit here and now; the results are those of `Unit.names`, in this order."""
    if unit.mutant is not None:
        return [try_mutant(next(mutant for mutant in MUTANTS if mutant.name == unit.mutant))]
    return list(run_cells([matrix.by_name[name] for name in unit.cells]))


def read_result(values: dict[str, Any]) -> Result:
    """A result from what `dataclasses.asdict` and JSON made of it."""
    if "evidence" in values:
        return MutantResult(**values)
    return CellResult(**{**values, "reasons": tuple(values["reasons"])})


def main(arguments: Sequence[str]) -> int:
    """Command line: the unit's file, the matrix file, the results' file."""
    unit, matrix, results = map(Path, arguments)
    done = run(Unit.from_json(json.loads(unit.read_text())), load(matrix))
    results.write_text(json.dumps([asdict(result) for result in done]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
