"""What one sweep has to do: the matrix, the sources, the store of results, and the items without a result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

from tb.mutants.table import Mutant
from tb.sweep.cell import CellResult
from tb.sweep.fingerprint import Fingerprint
from tb.sweep.matrix import Cell, Matrix
from tb.sweep.messages import Request
from tb.sweep.mutant import MutantResult
from tb.sweep.seconds import Seconds
from tb.sweep.store import Store
from tb.sweep.unit import Result, Unit
from tb.sweep.work_queue import Item, WorkQueue


@dataclass(frozen=True)
class Plan:
    """A sweep.

    Attributes:
        matrix_text, matrix: the declared matrix.
        fingerprint: the sources and tools that every result must come from.
        store: where results are kept.
        seconds: what is known of how long things take.
        cells, mutants: what is to be run.
    """

    matrix_text: str
    matrix: Matrix
    fingerprint: Fingerprint
    store: Store
    seconds: Seconds
    cells: tuple[Cell, ...]
    mutants: tuple[Mutant, ...] = ()
    _kept: set[str] = field(default_factory=set)

    @cached_property
    def items(self) -> dict[str, Cell | Mutant]:
        """Cells and mutants by name."""
        both: tuple[Cell | Mutant, ...] = (*self.cells, *self.mutants)
        return {item.name: item for item in both}

    def queue(self) -> WorkQueue:
        """The items, to be handed out."""
        items = [Item(cell.name, machine(cell), self.seconds.of_cell(cell)) for cell in self.cells]
        items += [Item(mutant.name, None, self.seconds.of_mutant(mutant)) for mutant in self.mutants]
        machines = {item.machine for item in items if item.machine}
        models = {name: self.seconds.of_model(name) for name in machines}
        return WorkQueue(items, models, self.has_result)

    def has_result(self, name: str) -> bool:
        """Whether an item has got a result, in this sweep or in another one at the same time."""
        item = self.items[name]
        if name not in self._kept and self.store.path(item).exists() and self.store.done(item):
            self._kept.add(name)
        return name in self._kept

    def keep(self, results: Iterable[Result]) -> None:
        """Store results."""
        for result in results:
            self.store.write(self.items[result.name], result)
            self._kept.add(result.name)

    def could_not_run(self, name: str, reason: str) -> Result:
        """The result of an item that could not be run."""
        kind = CellResult if isinstance(self.items[name], Cell) else MutantResult
        return kind(name, error=reason)

    @property
    def done(self) -> int:
        """How many items have a result by now, as far as this process knows."""
        return len(self._kept)

    def request(self, task: str, unit: Unit | None = None) -> Request:
        """What a process of tb.sweep.child is asked: to "check" its host, or to "run" a unit."""
        return {
            "task": task,
            "matrix": self.matrix_text,
            "files": self.fingerprint.files,
            "tools": self.fingerprint.tools,
            "unit": None if unit is None else unit.to_json(),
        }

    def to_json(self) -> str:
        """The plan for a person: what was to be run on which sources, with the seconds it should take."""
        cells = {cell.name: round(self.seconds.of_cell(cell), 3) for cell in self.cells}
        mutants = {mutant.name: self.seconds.of_mutant(mutant) for mutant in self.mutants}
        content = {
            "key": self.fingerprint.key,
            "cells": cells,
            "mutants": mutants,
            **asdict(self.fingerprint),
        }
        return json.dumps(content, indent=1)


def machine(cell: Cell) -> str:
    """The name of a cell's machine."""
    return "{}/{}".format(*cell.machine)


def make(
    matrix_text: str,
    matrix: Matrix,
    fingerprint: Fingerprint,
    store: Store,
    seconds: Seconds,
    cells: Sequence[Cell],
    mutants: Sequence[Mutant],
) -> Plan:
    """A plan for those of the cells and mutants that have no result yet, or could not be run before."""
    cells_left = tuple(cell for cell in cells if not store.done(cell))
    mutants_left = tuple(mutant for mutant in mutants if not store.done(mutant))
    both: tuple[Cell | Mutant, ...] = (*cells_left, *mutants_left)
    for item in both:
        store.forget(item)
    return Plan(matrix_text, matrix, fingerprint, store, seconds, cells_left, mutants_left)


def measured(result: Result) -> Mapping[str, float]:
    """What a result says about how long its item takes, without its model."""
    if result.error is not None:
        return {}
    if isinstance(result, MutantResult):
        return {result.name: result.seconds}
    return {result.name: sum(seconds for name, seconds in result.phases.items() if name != "build")}
