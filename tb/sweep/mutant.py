"""One permanent mutant, tried: its case, or a cell of the quick part, must fail for it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace

from tb.mutants import trial as mutants
from tb.mutants.placement import PlacementMutant
from tb.mutants.table import Mutant
from tb.sweep.matrix import Matrix
from tb.sweep.program_mutant import Outcome, in_order, registered, try_on_cells


@dataclass(frozen=True)
class MutantResult:
    """What became of a mutant; every attribute is a plain value of JSON.

    Attributes:
        name: of the mutant.
        passed: it was caught.
        evidence: the line of the failing case's report that shows why, or what was printed instead.
        error: why it could not be tried at all; it is tried again next time.
        seconds: how long it took, with the build.
    """

    name: str
    passed: bool = False
    evidence: str = ""
    error: str | None = None
    seconds: float = 0.0

    def after(self, seconds: float) -> MutantResult:
        """The result with the time that it took."""
        return replace(self, seconds=round(seconds, 3))


def try_mutant(mutant: Mutant, matrix: Matrix) -> MutantResult:
    """Run a fault of placement on the quick cells of `matrix`, any other on its own case."""
    if isinstance(mutant, PlacementMutant):
        return _try_on_quick_cells(mutant, matrix)
    try:
        trial = mutants.run_mutant(mutant)
    except (mutants.MutantError, subprocess.TimeoutExpired) as error:
        return MutantResult(mutant.name, error=str(error))
    if not trial.caught:
        return MutantResult(mutant.name, evidence=trial.printed.strip()[-2000:])
    line = next(line for line in trial.printed.splitlines() if mutant.reason in line)
    return MutantResult(mutant.name, True, line.strip())


def _try_on_quick_cells(mutant: PlacementMutant, matrix: Matrix) -> MutantResult:
    """The programs of the quick cells on the reference machine, judged as the sweep judges a cell."""
    assert mutant.fault is not None
    trial = try_on_cells(mutant.fault, [*in_order(matrix.quick_cells()), *registered()])
    wanted = Outcome.REFUSED if mutant.refused else Outcome.CAUGHT
    if trial.outcome is wanted:
        what = "could not run: " if mutant.refused else ""
        return MutantResult(mutant.name, True, f"{trial.cell}: {what}{trial.evidence}")
    return MutantResult(mutant.name, evidence=" ".join((trial.outcome.value, trial.cell, trial.evidence)))
