"""What one sweep has to do: the matrix, the store of results, and the units without a result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from tb.mutants.table import MUTANTS, Mutant
from tb.sweep import matrix
from tb.sweep.matrix import Cell, Matrix
from tb.sweep.store import Store
from tb.sweep.unit import Result, Unit, cut

#: Names the file of the plan to the processes that pytest-xdist starts.
VARIABLE = "PLENA_SWEEP_PLAN"


@dataclass(frozen=True)
class Plan:
    """A sweep.

    Attributes:
        matrix_file, matrix: the declared matrix.
        store: where results are kept.
        units: what is to be run.
    """

    matrix_file: Path
    matrix: Matrix
    store: Store
    units: tuple[Unit, ...]

    def items(self, unit: Unit) -> list[Cell | Mutant]:
        """The cells or the mutant of a unit."""
        if unit.mutant is not None:
            return [mutant for mutant in MUTANTS if mutant.name == unit.mutant]
        return [self.matrix.by_name[name] for name in unit.cells]

    def keep(self, unit: Unit, results: Sequence[Result]) -> None:
        """Store the results of a unit.

        Raises:
            ValueError: they are not the results of this unit.
        """
        if tuple(result.name for result in results) != unit.names:
            raise ValueError(f"results of {[result.name for result in results]} for {unit.names}")
        for item, result in zip(self.items(unit), results, strict=True):
            self.store.write(item, result)

    def done(self) -> int:
        """How many items of the units have a result by now."""
        return sum(path.exists() for path in self._paths)

    @cached_property
    def _paths(self) -> list[Path]:
        return [self.store.path(item) for unit in self.units for item in self.items(unit)]


def make(matrix_file: Path, store: Store, cells: Iterable[Cell], mutants: Iterable[Mutant]) -> Plan:
    """A plan for those of the cells and mutants that have no result yet, or could not be run before."""
    cells_left = [cell for cell in cells if not store.done(cell)]
    mutants_left = [mutant for mutant in mutants if not store.done(mutant)]
    for item in (*cells_left, *mutants_left):
        store.forget(item)
    units = cut(cells_left, mutants_left)
    return Plan(matrix_file, matrix.load(matrix_file), store, tuple(units))


def write(plan: Plan, file: Path) -> None:
    """Put a plan into a file."""
    units = [asdict(unit) for unit in plan.units]
    content = {"matrix": str(plan.matrix_file), "store": str(plan.store.folder), "units": units}
    file.write_text(json.dumps(content))


def read(file: Path) -> Plan:
    """The plan in a file that `write` wrote."""
    content = json.loads(file.read_text())
    matrix_file = Path(content["matrix"])
    units = tuple(Unit.from_json(unit) for unit in content["units"])
    return Plan(matrix_file, matrix.load(matrix_file), Store(Path(content["store"])), units)
