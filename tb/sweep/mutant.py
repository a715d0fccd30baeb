"""One permanent mutant, tried: the fault is in a copy of the sources, and its case must fail for it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace

from tb.mutants import trial as mutants
from tb.mutants.table import Mutant


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


def try_mutant(mutant: Mutant) -> MutantResult:
    """Run the mutant's case on the faulty sources."""
    try:
        trial = mutants.run_mutant(mutant)
    except (mutants.MutantError, subprocess.TimeoutExpired) as error:
        return MutantResult(mutant.name, error=str(error))
    if not trial.caught:
        return MutantResult(mutant.name, evidence=trial.printed.strip()[-2000:])
    line = next(line for line in trial.printed.splitlines() if mutant.reason in line)
    return MutantResult(mutant.name, True, line.strip())
