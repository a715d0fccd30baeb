"""Faults of kernels in the running process: the reading of what comes out names them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from tb.bench.diagnose import errors_of, names_of
from tb.diagnosis import accesses, reading, unread
from tb.diagnosis.hints import Hints
from tb.mutants.patch import patched

REPO = Path(__file__).parents[2]
HW = Hardware(8, 4, vram_elems=1 << 14, msram_tiles=8, hbm_bytes=1 << 16)
SIZES = {"batch": 3, "seq": 10, "heads": 2, "head_dim": 8, "causal": True}
CASE = make_case("small", HW, **SIZES)
#: Scores under a mask lie among the others: with BLEN = MLEN no mask hides whole blocks of a tile.
ONE_BLOCK = make_case("one block", replace(HW, blen=8), **SIZES)


def read(case: Case = CASE) -> str:
    """What is said of a case as its program is now."""
    work = build(case)
    machine = Machine(case.hardware, work.images.copy(), work.limit)
    machine.run(work.words)
    hints = Hints(case)
    run = accesses.of_run(case.hardware, work.words, work.images.copy(), work.limit)
    never = unread.never_read(names_of(work), run, work.images, [*work.outputs, *work.scratch])
    errors = errors_of(work, machine.images, hints.first_position)
    return "\n".join(reading.read(errors, True, None, None, never, hints.suspects(work.golden)))


def fault(file: str, old: str, new: str, case: Case = CASE) -> str:
    """What is said of a case with a fault in a module of the kernels."""
    path = REPO / file
    text = path.read_text()
    assert text.count(old) == 1
    module = file.removesuffix(".py").replace("/", ".")
    with patched(module, text.replace(old, new)):
        return read(case)


def test_nothing_is_said_of_a_right_result() -> None:
    said = read()
    assert said.startswith("Bit-exact and close to the golden") and said.count("\n") == 0


POINTERS = "plena_ref/kernels/attention/head_pointers.py"
TILING = "plena_ref/kernels/attention/tiling.py"
SHIFT = "shift = diagonal_shift(first_position, key * mlen, valid)"
FAULTS = [
    (
        (
            POINTERS,
            "operands.kv_rows_per_batch * operands.k.row_bytes",
            "operands.shape.kv_seq * operands.k.row_bytes",
        ),
        [
            "the batch stride of K and V is 6 of 16 rows short",
            "never read by it: K[2, 0] rows 4-9, columns 0-7; K[2, 1] rows 4-9",
            "in batches 1-2 of 3, in every head, in every row",
            "The first batch is right and every later one wrong",
        ],
    ),
    (
        (TILING, SHIFT, SHIFT.replace("first_position,", "first_position + (key > 0),")),
        [
            "the causal mask shows one more key than it must in the key tiles past the first",
            "in every batch, in every head, in row 8 of 10",
            "Right up to row 7, wrong from row 8 on, the first that sees key tile 1",
        ],
    ),
    (
        (TILING, "    return shift if keys - 1 > shift else None", "    return 0", ONE_BLOCK),
        ["the causal mask of the first key tile is used for every key tile"],
    ),
    (
        (
            POINTERS,
            "kv_heads * operands.k.span(self.blocks * self.mlen)",
            "0 * operands.k.span(self.blocks * self.mlen)",
        ),
        ["every head reads the first head of K and V", "Only head 1 is wrong", "never read by it: K[0, 1]"],
    ),
]


@pytest.mark.parametrize(("change", "said"), FAULTS, ids=["stride", "shift", "static mask", "heads"])
def test_a_fault_of_the_kernel_is_named(change: tuple[object, ...], said: list[str]) -> None:
    text = fault(*change)
    assert text.startswith("Bit-exact but wrong"), text
    assert all(part in text for part in said), text


def test_padding_and_results_are_not_missed() -> None:
    """Rows of padding, scratch, and what the program leaves are not told to be unread."""
    work = build(CASE)
    run = accesses.of_run(HW, work.words, work.images.copy(), work.limit)
    assert unread.never_read(names_of(work), run, work.images, [*work.outputs, *work.scratch]) == []
    assert not run.was_read["hbm"].all() and (run.writer["vram"] != accesses.NOBODY).any()
    o = next(tensor for tensor in work.tensors if tensor.name == "O")
    writers = run.writer["vram"][o.addresses()]
    active = np.arange(o.rows) % o.rows_per_batch < o.active_rows
    assert (writers[active] != accesses.NOBODY).all()
