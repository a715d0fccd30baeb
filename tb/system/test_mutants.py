"""The bench catches every named mutant: the case FAILs for its reason, and passes without it."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.kernels.attention import tiling
from plena_ref.machine.reference import Machine
from plena_ref.verdict.accuracy import accuracy, result_values
from plena_ref.verdict.tolerance import Tolerance
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case
from plena_ref.workloads.registry import CASES
from tb.engine import simulate
from tb.mutants.table import HISTORICAL, MUTANTS, Mutant
from tb.mutants.trial import MutantError, Trial, mutated, run_case, run_mutant, tree_with

pytestmark = pytest.mark.not_nightly("Verilator, on faults")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(mutant: Mutant) -> None:
    simulate.require("verilator")
    trial = run_mutant(mutant)
    assert trial.caught, trial.printed
    # What is wrong in the RTL has a first wrong instruction; a kernel's fault leaves every bit as it must be.
    assert ("first wrong instruction: pc" in trial.printed) == mutant.file.startswith("rtl/"), trial.printed


#: Of the cases of mutants, those that no other test runs as they are, and one more.
UNTOUCHED = sorted({(mutant.case, mutant.overrides) for mutant in MUTANTS if mutant.overrides})


@pytest.mark.parametrize(("case", "overrides"), [("mha_batch2_sub64", ()), *UNTOUCHED], ids=str)
def test_the_copy_without_a_fault_passes(case: str, overrides: tuple[tuple[str, str], ...]) -> None:
    """So the FAIL of a mutant is due to its fault, not to the copying."""
    simulate.require("verilator")
    with tree_with(None) as root:
        status, printed = run_case(root, case, overrides)
    assert status == 0, printed
    assert "PASS" in printed and "FAIL" not in printed


def test_a_mutant_must_apply_exactly_once() -> None:
    mutant = Mutant("two places", "file", "a", "b", "case", "reason")
    with pytest.raises(MutantError, match="2 times, not once"):
        mutated(mutant, "a a")
    assert mutated(mutant, "a c") == "b c"


def test_a_mutant_is_caught_only_by_a_fail_for_its_reason() -> None:
    mutant = Mutant("fault", "file", "a", "b", "case", "batch 0:")
    assert Trial(mutant, 1, "batch 0: 3% within\nFAIL").caught
    assert not Trial(mutant, 0, "PASS").caught
    assert not Trial(mutant, 1, "FAIL: not bit-exact").caught
    assert not Trial(mutant, 2, "error: batch 0: FAIL").caught


def test_the_failures_of_earlier_benches_are_all_here() -> None:
    assert [mutant.history for mutant in HISTORICAL] == [
        "truncated physical shape",
        "per-batch slab slicing of a column-block-major tensor",
        "static causal mask",
        "static causal mask, at half a sigma",
        "padding rows compared",
    ]


def match_percent(case: Case, tolerance: Tolerance) -> tuple[float, bool]:
    """Share of the elements that match on the reference machine, in percent, and the verdict."""
    workload = build(case)
    machine = Machine(case.hardware, workload.images, workload.limit)
    assert machine.run(workload.words).status == "stopped"
    (row,) = accuracy(result_values(workload, machine.images.vram), workload.golden, tolerance)
    return row.match_percent, row.passed


def test_a_loose_mark_passes_the_static_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why the bound is tight: at half a sigma, 90% within 0.2 + 0.2|golden| does not see the static mask."""
    case = CASES["mha_causal_tiles"].override(sigma=0.5)
    loose = Tolerance(atol=0.2, rtol=0.2, match_percent=90.0, outer=np.inf)
    assert match_percent(case, case.tolerance)[1]
    monkeypatch.setattr(tiling, "diagonal_shift", lambda *_args: 0)
    percent, passed = match_percent(case, loose)
    assert passed and 98 < percent < 99, percent
    percent, passed = match_percent(case, case.tolerance)
    assert not passed and percent < 80, percent
