"""A unit of work: some cells of one machine, one mutant, or the model of a machine. One process runs it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tb.bench import harness
from tb.mutants.swept import SWEPT
from tb.sweep.cell import CellResult
from tb.sweep.cells import run_cells
from tb.sweep.matrix import Matrix
from tb.sweep.messages import UnitFields
from tb.sweep.mutant import MutantResult, try_mutant

Result = CellResult | MutantResult


@dataclass(frozen=True)
class Unit:
    """What one process runs.

    Attributes:
        cells: names of cells of one machine.
        mutant: name of a mutant, instead of cells.
        build: only build the model of the cells' machine.
        seconds: how long it takes, as far as is known.
    """

    cells: tuple[str, ...] = ()
    mutant: str | None = None
    build: bool = False
    seconds: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """What the unit has results of."""
        if self.build:
            return ()
        return self.cells if self.mutant is None else (self.mutant,)

    def __str__(self) -> str:
        """As a log names it."""
        if self.build:
            return f"the model for {self.cells[0]}"
        more = f" and {len(self.names) - 1} more" if len(self.names) > 1 else ""
        return f"{self.names[0]}{more}"

    @classmethod
    def from_json(cls, value: UnitFields) -> Unit:
        """A unit from what `to_json` and JSON made of it."""
        return cls(tuple(value["cells"]), value["mutant"], value["build"], value["seconds"])

    def to_json(self) -> UnitFields:
        """The unit for another process."""
        return {"cells": self.cells, "mutant": self.mutant, "build": self.build, "seconds": self.seconds}


def run(unit: Unit, matrix: Matrix) -> list[Result]:
    """Run a unit here and now; the results are those of `Unit.names`, in this order.

    Raises:
        SimulationError: a model could not be built.
    """
    if unit.build:
        harness.build(matrix.by_name[unit.cells[0]].case.hardware, "verilator")
        return []
    if unit.mutant is not None:
        started = time.monotonic()
        result = try_mutant(next(mutant for mutant in SWEPT if mutant.name == unit.mutant), matrix)
        return [result.after(time.monotonic() - started)]
    return list(run_cells([matrix.by_name[name] for name in unit.cells]))
