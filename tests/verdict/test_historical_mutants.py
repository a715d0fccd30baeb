"""Failures of earlier benches stay visible where scores are small: at SIGMA=0.75, by numbers alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tb.mutants.table import HISTORICAL, Mutant
from tb.mutants.trial import tree_with

#: Runs a case of the tree that it is started in on the reference machine, which shares the fault of a kernel.
_JUDGE = """
import sys
from plena_ref.machine.reference import Machine
from plena_ref.verdict.accuracy import accurate, result_values
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES

work = build(CASES[sys.argv[1]].override(SIGMA="0.75"))
machine = Machine(work.hardware, work.images.copy(), work.limit)
machine.run(work.words)
print(accurate(work, result_values(work, machine.images.vram)))
"""


@pytest.mark.parametrize("mutant", HISTORICAL, ids=lambda mutant: mutant.name)
def test_small_scores_hide_no_historical_mutant(mutant: Mutant) -> None:
    with tree_with(mutant) as root:
        command = [sys.executable, "-c", _JUDGE, mutant.case]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
