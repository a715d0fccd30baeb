"""Faults of tiling, layout and placement: from every function, caught by the verdict of a quick cell."""

from __future__ import annotations

import ast
from datetime import date

import pytest

from plena_ref.kernels.attention import tiling
from plena_ref.workloads.build import build
from tb.engine.paths import REPO
from tb.mutants.generated import GeneratedMutant, functions, generate
from tb.mutants.patch import PatchError, patched
from tb.mutants.placement import NOT_REACHED, PLACEMENT, PlacementMutant
from tb.mutants.table import MUTANTS
from tb.sweep import matrix
from tb.sweep.cell import judge
from tb.sweep.mutant import try_mutant
from tb.sweep.program_mutant import Outcome, in_order, reference_result, try_on_cells

#: Where the faults of these tests are.
MODULE = "plena_ref.kernels.attention.tiling"
FILE = "plena_ref/kernels/attention/tiling.py"

MATRIX = matrix.load()
CELL = MATRIX.by_name["mlen8-blen4-batch1-seq8-hd16-causal"]
#: How many of the faults a run tries besides the two named ones; `make sweep MUTANTS=1` tries all.
TRIED = 10
_FIRST = date.today().toordinal() * TRIED
TODAY = [PLACEMENT[(_FIRST + n) % len(PLACEMENT)] for n in range(TRIED)]


def text_of(name: str) -> str:
    return (REPO / name).read_text()


def test_every_function_has_a_fault_or_a_reason() -> None:
    """Forty at least; no function is left out in silence, and none has a reason that it does not need."""
    covered = {f"{mutant.fault.file.rsplit('/')[-1][:-3]}.{mutant.fault.function}" for mutant in PLACEMENT}
    lines = text_of("tb/mutants/placement.txt").splitlines()
    assert len(PLACEMENT) == 2 + len(lines), "placement.txt names a fault that is not generated"
    assert sum(not mutant.refused for mutant in PLACEMENT) > 40
    assert len({mutant.name for mutant in (*PLACEMENT, *MUTANTS)}) == len(PLACEMENT) + len(MUTANTS)
    assert covered | set(NOT_REACHED) == set(functions())
    assert not covered & set(NOT_REACHED)


@pytest.mark.parametrize(
    "mutant", dict.fromkeys([*PLACEMENT[:2], *TODAY]), ids=lambda mutant: mutant.name[:60]
)
def test_a_quick_cell_catches_it(mutant: PlacementMutant) -> None:
    """The two named faults always, the others by turns, another ten each day."""
    result = try_mutant(mutant, MATRIX)
    assert result.passed, result


def test_generated_faults_are_programs_and_differ() -> None:
    mutants = generate()
    assert len(mutants) > 150 and len({mutant.name for mutant in mutants}) == len(mutants)
    for mutant in mutants:
        changed = mutant.apply(text_of(mutant.file))
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text_of(mutant.file))), mutant.name


def test_a_patch_lasts_as_long_as_its_block() -> None:
    text = text_of(FILE)
    before = tiling.diagonal_shift(16, 0, 32)
    wrong = text.replace("shift = first_query - first_key", "shift = 7")
    with patched(MODULE, wrong) as names:
        assert names == ["diagonal_shift"] and tiling.diagonal_shift(16, 0, 32) == 7
    assert tiling.diagonal_shift(16, 0, 32) == before == 16
    with pytest.raises(PatchError, match="no function differs"), patched(MODULE, text):
        pass
    with pytest.raises(PatchError, match="invalid syntax"), patched(MODULE, "def :"):
        pass


def fault(old: str, new: str) -> GeneratedMutant:
    text = text_of(FILE)
    start = text.index(old)
    return GeneratedMutant("by hand", FILE, "", start, start + len(old), new)


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        ("shift = first_query - first_key", "shift = first_query - first_key + 1", Outcome.CAUGHT),
        ("shift = first_query - first_key", "shift = 1 // 0", Outcome.REFUSED),
        ("return shift if keys - 1 > shift else None", "return shift", Outcome.SURVIVED),
        ("low = first_query - window + 1 - first_key", "low = 0", Outcome.UNCHANGED),
    ],
)
def test_what_a_cell_says_of_a_fault(old: str, new: str, outcome: Outcome) -> None:
    """Wrong results, no program, a needless mask, and a window that the cell does not have."""
    cells = [CELL, MATRIX.by_name["mlen8-blen4-batch3-seq9-hd16-causal"]]
    trial = try_on_cells(fault(old, new), cells)
    assert trial.outcome is outcome, trial
    assert bool(trial.cell) == (outcome in (Outcome.CAUGHT, Outcome.REFUSED))


def test_without_a_fault_the_reference_machine_passes() -> None:
    """The verdict that catches the faults passes the right program of the first cells."""
    for cell in in_order(MATRIX.quick_cells())[:6]:
        assert judge(build(cell.case), reference_result(build(cell.case), 1 << 20)).passed
