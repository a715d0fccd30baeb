"""What the command line of a sweep chooses: cells and mutants, and who is to run them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tb.bench import keys, options
from tb.bench.options import UsageError
from tb.mutants.swept import SWEPT
from tb.mutants.table import Mutant
from tb.sweep import matrix as matrices
from tb.sweep.declared_values import MatrixError
from tb.sweep.matrix import Cell, Matrix


@dataclass(frozen=True)
class Choice:
    """An understood command line.

    Attributes:
        matrix_name, matrix_text, matrix: the matrix file, what is in it, and what that means.
        reports: the folder of the reports, in that of the sweep; empty: that one itself.
        slice: the cells of the chosen axis values, and of the quick part where it is chosen.
        limit: how many of those without a result; 0 means all, with or without one.
        mutants: to try.
        scheduler: address of a dask scheduler, or None for this machine.
        jobs: processes at a time on this machine.
        wait: seconds to wait for workers.
    """

    matrix_name: str
    matrix_text: str
    matrix: Matrix
    reports: str
    slice: tuple[Cell, ...]
    limit: int
    mutants: tuple[Mutant, ...]
    scheduler: str | None
    jobs: int
    wait: int

    def cells(self, done: Callable[[Cell], bool]) -> tuple[Cell, ...]:
        """The chosen cells; a limit takes, in an order that spreads them, those that are not done."""
        if not self.limit:
            return self.slice
        left = [cell for cell in self.slice if not done(cell)]
        return tuple(sorted(left, key=lambda cell: zlib.crc32(cell.name.encode()))[: self.limit])


def parse(arguments: Sequence[str]) -> Choice:
    """Understand a command line.

    Raises:
        UsageError: an option is unknown, malformed, or contradicts another.
        MatrixError: the matrix file is wrong, or no cell is chosen.
        OSError: the matrix file cannot be read.
    """
    given = options.parse(arguments)
    chosen, file = _matrix_file(given)
    matrix = matrices.load(file)
    axes = tuple(axis.upper() for axis in matrix.axes)
    typed = [argument.partition("=")[0].upper() for argument in arguments]
    options.refuse_unknown(typed, (*axes, *keys.SWEEP_OPTIONS))
    for argument in arguments:
        key, _, value = argument.partition("=")
        if not value:
            raise UsageError(f"{key.upper()} has no value")
    if "SCHEDULER" in given and "JOBS" in given:
        raise UsageError("JOBS is for this machine; with SCHEDULER its workers say how many units they run")
    if "WAIT" in given and "SCHEDULER" not in given:
        raise UsageError("WAIT is for the workers of a SCHEDULER")
    whole = not {"QUICK", "LIMIT", *axes} & set(given)
    quick = options.take_integer(given, "QUICK", 0, 0, 1)
    limit = options.take_integer(given, "LIMIT", 0, 1, 1 << 31)
    jobs = options.take_integer(given, "JOBS", len(os.sched_getaffinity(0)), 1, 1 << 10)
    wait = options.take_integer(given, "WAIT", 60, 1, 1 << 20)
    whole &= matrix.of_attention
    mutants = options.take_integer(given, "MUTANTS", int(whole), 0, int(matrix.of_attention))
    scheduler = given.pop("SCHEDULER", None)
    cells = matrix.slice({axis.lower(): values.split(",") for axis, values in given.items()})
    if quick:
        names = {cell.name for cell in matrix.quick_cells()}
        cells = tuple(cell for cell in cells if cell.name in names)
        if not cells:
            raise MatrixError("no cell of the quick part has these values")
    tried = SWEPT if mutants else ()
    reports = "" if matrix.of_attention else chosen
    return Choice(str(file), file.read_text(), matrix, reports, cells, limit, tried, scheduler, jobs, wait)


def _matrix_file(given: dict[str, str]) -> tuple[str, Path]:
    """The name of a set of cells, and its matrix file; takes both options out of what was given.

    Raises:
        UsageError: there is no such set, or a file was given as well.
    """
    if "SET" in given and "MATRIX" in given:
        raise UsageError("SET names a matrix file of the project; MATRIX is another one")
    if "MATRIX" in given:
        file = Path(given.pop("MATRIX"))
        return file.stem, file
    name = given.pop("SET", "attention")
    if name not in matrices.SETS:
        raise UsageError(f"SET={name} is unknown; there are {', '.join(matrices.SETS)}")
    return name, matrices.SETS[name]
