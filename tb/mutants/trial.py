"""Named faults that the bench must catch: one exact substitution in a copy of the source tree, then one case.

The faults are data, in tb/mutants/table.py.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tb.bench import case_command
from tb.engine import environment, processes, scratch, simulate
from tb.mutants.table import Mutant

_TREE = ("rtl", "tb", "plena_ref")


class MutantError(ValueError):
    """A mutant that does not apply: its text is not exactly once in its file."""


@dataclass(frozen=True)
class Trial:
    """The run of a mutant's case.

    Attributes:
        mutant: the fault.
        status: exit status of the run.
        printed: its report.
    """

    mutant: Mutant
    status: int
    printed: str

    @property
    def caught(self) -> bool:
        """The case FAILed, and for the mutant's own reason."""
        return self.status == 1 and "FAIL" in self.printed and self.mutant.reason in self.printed


def mutated(mutant: Mutant, text: str) -> str:
    """The text of the mutant's file with the fault in it.

    Raises:
        MutantError: the old text is not there exactly once.
    """
    count = text.count(mutant.old)
    if count != 1:
        raise MutantError(f"{mutant.name}: {mutant.file} has its text {count} times, not once")
    return text.replace(mutant.old, mutant.new)


@contextmanager
def tree_with(mutant: Mutant | None, quick: bool = True) -> Iterator[Path]:
    """A copy of the source tree with the fault in it (without one: None), removed afterwards.

    The copy shares the cache of models, whose names depend on the text of the sources, so a fault in Python
    runs on the models that are there. Those of a fault in RTL run once or twice and are built without
    optimisation, unless `quick` is False.
    """
    models = simulate.BUILD / "models"
    models.mkdir(parents=True, exist_ok=True)
    with scratch.folder(simulate.BUILD, "mutant") as root:
        for part in _TREE:
            shutil.copytree(simulate.REPO / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        (root / "build").mkdir()
        (root / "build" / "models").symlink_to(models)
        if quick and mutant is not None and mutant.file.endswith(".sv"):
            (root / simulate.QUICK).touch()
        if mutant is not None:
            file = root / mutant.file
            file.write_text(mutated(mutant, file.read_text()))
        yield root


def run_case(root: Path, case: str, overrides: tuple[tuple[str, str], ...] = ()) -> tuple[int, str]:
    """Run a case with the sources in ``root`` on Verilator; its exit status and what it printed."""
    options = [f"{key}={value}" for key, value in (("TEST", case), ("SIM", "verilator"), *overrides)]
    line = [sys.executable, "-m", case_command.__name__, *options]
    return processes.captured(line, root, environment.of_command(root, {"COLUMNS": "200"}), 600)


def run_mutant(mutant: Mutant) -> Trial:
    """Run the mutant's case in a copy of the source tree that has its fault.

    Raises:
        MutantError: the fault does not apply.
    """
    with tree_with(mutant) as root:
        status, printed = run_case(root, mutant.case, mutant.overrides)
    return Trial(mutant, status, printed)
