"""The bench catches every named mutant: the case FAILs for its reason, and passes without it."""

from __future__ import annotations

import pytest

from tb import simulate
from tb.mutant_table import MUTANTS, Mutant
from tb.mutants import MutantError, mutated, run_case, tree_with


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(mutant: Mutant) -> None:
    simulate.require("verilator")
    with tree_with(mutant) as root:
        status, printed = run_case(root, mutant.case, mutant.overrides)
    assert status == 1, printed
    assert "FAIL" in printed and mutant.reason in printed, printed


@pytest.mark.parametrize(
    ("case", "overrides"), sorted({(mutant.case, mutant.overrides) for mutant in MUTANTS}), ids=str
)
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
