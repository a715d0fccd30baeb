"""The declared matrix: every combination once, the cells that they are, slices, and the quick part."""

from __future__ import annotations

import time
from itertools import product

import pytest

from plena_ref.machine.reference import Machine
from plena_ref.workloads.build import build, place
from plena_ref.workloads.case import DEFAULT_HARDWARE
from plena_ref.workloads.registry import MACHINES
from tb.sweep import matrix as matrices
from tb.sweep.declaration import AXES
from tb.sweep.declared_values import MatrixError, length

MATRIX = matrices.load()
MLENS, BLENS = (8, 16, 32, 64, 128, 256), (4, 8, 16, 32, 64)
HEAD_DIMS, MASKS = (16, 64, 128), ("causal", "full", "cached")


def seqs(mlen: int) -> set[int]:
    return {1, 4, 16, mlen - 1, mlen, mlen + 1, 2 * mlen + 3, 128}


def test_the_matrix_holds_every_combination_once() -> None:
    """Legal or illegal, each has its place; PLENA's own machine and sequence length come on top."""
    wanted = {
        (mlen, blen, batch, seq, head_dim, mask)
        for mlen, blen, batch, head_dim, mask in product(MLENS, BLENS, (1, 2, 3), HEAD_DIMS, MASKS)
        for seq in seqs(mlen)
    }
    wanted |= {(256, 64, batch, 64, dim, mask) for batch, dim, mask in product((1, 2, 3), HEAD_DIMS, MASKS)}
    found = [tuple(item.values[axis] for axis in AXES) for item in (*MATRIX.cells, *MATRIX.illegal)]
    assert set(found) == wanted and len(found) == len(wanted)
    declared = 6 * 5 * 3 * 8 * 3 * 3 + 27
    assert len(found) + MATRIX.coinciding == declared
    assert len({item.name for item in (*MATRIX.cells, *MATRIX.illegal)}) == len(found)


def test_illegal_combinations_are_named_with_their_rule() -> None:
    assert {item.rule for item in MATRIX.illegal} == {"BLEN must not exceed MLEN"}
    assert all(item.values["blen"] > item.values["mlen"] for item in MATRIX.illegal)
    assert all(cell.values["blen"] <= cell.values["mlen"] for cell in MATRIX.cells)


def test_a_cell_is_the_case_that_its_values_say() -> None:
    for cell in MATRIX.cells:
        case, values = cell.case, cell.values
        assert cell.machine == (values["mlen"], values["blen"])
        assert (case.problem.batch, case.problem.seq, case.problem.head_dim) == (
            values["batch"],
            values["seq"],
            values["head_dim"],
        )
        cache = case.problem.kv_seq - case.problem.seq
        wanted = {"causal": (True, 0), "full": (False, 0), "cached": (True, values["mlen"] + 5)}
        assert (case.problem.causal, cache) == wanted[values["mask"]]
        assert case.problem.heads == {1: 2, 2: 2, 3: 1}[case.problem.batch]
    assert len({cell.case.seed for cell in MATRIX.cells}) > 0.999 * len(MATRIX.cells)


@pytest.mark.parametrize("mlen", MLENS)
def test_the_largest_cells_fit_their_machine(mlen: int) -> None:
    cells = [cell for cell in MATRIX.cells if cell.case.hardware.mlen == mlen]
    top = max(cell.case.problem.kv_seq for cell in cells)
    largest = [cell.case for cell in cells if cell.case.problem.kv_seq == top]
    assert largest
    for case in largest:
        place(case)


def test_the_largest_cell_takes_less_than_a_minute_in_the_reference_machine() -> None:
    """Most products, on the machine that needs the most instructions for them; processor time."""
    largest = max(MATRIX.cells, key=lambda cell: (cell.work, -cell.machine[1]))
    assert largest.name == "mlen256-blen4-batch2-seq515-hd128-cached"
    workload = build(largest.case)
    machine = Machine(largest.case.hardware, workload.images, workload.limit)
    started = time.process_time()
    assert machine.run(workload.words).status == "stopped"
    assert time.process_time() - started < 60


def test_the_machines_of_the_registered_cases_share_their_models() -> None:
    machines = {cell.machine: cell.case.hardware for cell in MATRIX.cells}
    assert machines[16, 4] == MACHINES["small"] and machines[64, 16] == DEFAULT_HARDWARE
    assert {(16, 4), (64, 16)} <= {cell.machine for cell in MATRIX.quick_cells()}


def test_the_quick_part_has_every_value_of_every_axis() -> None:
    cells = MATRIX.quick_cells()
    assert len({cell.name for cell in cells}) == len(cells) >= 60
    assert cells == MATRIX.quick_cells()
    for axis, wanted in {"mlen": MLENS, "blen": BLENS, "batch": (1, 2, 3), "head_dim": HEAD_DIMS}.items():
        assert {cell.values[axis] for cell in cells} == set(wanted), axis
    assert {cell.values["mask"] for cell in cells} == set(MASKS)
    for seq in (1, 4, 16, "MLEN-1", "MLEN", "MLEN+1", "2*MLEN+3", 128):
        assert any(cell.case.problem.seq == length(seq, cell.machine[0]) for cell in cells), seq
    assert any(cell.machine == (256, 64) and cell.case.problem.seq == 64 for cell in cells)
    assert len({cell.case.hardware for cell in cells}) == 6, "more models than need be"


def test_slices() -> None:
    assert MATRIX.slice({}) == MATRIX.cells
    chosen = MATRIX.slice({"mlen": ["8", "16"], "mask": ["cached"], "seq": ["128"]})
    assert {cell.machine for cell in chosen} == {(8, 4), (8, 8), (16, 4), (16, 8), (16, 16)}
    assert {(cell.values["mask"], cell.case.problem.seq) for cell in chosen} == {("cached", 128)}
    over = MATRIX.slice({"seq": ["2*MLEN+3"], "blen": ["4"], "batch": ["3"]})
    assert {(cell.machine[0], cell.case.problem.seq) for cell in over} == {
        (mlen, 2 * mlen + 3) for mlen in MLENS
    }
    with pytest.raises(MatrixError, match="no legal cell has MLEN=12; there are 8, 16, 32"):
        MATRIX.slice({"mlen": ["8", "12"]})
    with pytest.raises(MatrixError, match="HEADS is no axis; there are MLEN, BLEN"):
        MATRIX.slice({"heads": ["1"]})


def test_values_that_no_cell_has_together_choose_nothing_and_say_why() -> None:
    with pytest.raises(MatrixError, match="no legal cell has MLEN=8 BLEN=64; BLEN must not exceed MLEN"):
        MATRIX.slice({"mlen": ["8"], "blen": ["64"]})
    with pytest.raises(MatrixError, match="no legal cell has SEQ=7 MLEN=256"):
        MATRIX.slice({"seq": ["7"], "mlen": ["256"]})
