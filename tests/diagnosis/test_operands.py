"""A row instruction that took another row, an old one, or wrote elsewhere, is told from what it left."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.machine.state import MemoryImages
from plena_ref.machine.tensors import plain
from tb.diagnosis import operands
from tb.diagnosis.known_state import KnownStates
from tb.diagnosis.names import Names
from tb.diagnosis.state import state_difference
from tests.diagnosis.faulty import Left

HW = Hardware(8, 4, vram_elems=1 << 10, msram_tiles=1, hbm_bytes=1 << 12)
#: Row 5 becomes its exponential, then row 7 = row 5 - row 2.
WORDS = assemble(
    "S_ADDI_INT gp1, gp0, 40\nS_ADDI_INT gp2, gp0, 16\nS_ADDI_INT gp3, gp0, 56\n"
    "V_EXP_V gp1, gp1\nV_SUB_VV gp3, gp1, gp2\nC_BREAK"
)
NAMES = Names(HW, [plain("T", "vram", 0, 16, 8)], [])
ROWS = slice(56, 64)


def drawn() -> np.ndarray:
    """Sixteen rows of bf16 numbers."""
    return np.random.default_rng(3).normal(size=128).astype(np.float32).view(np.uint32) >> 16


def explain(change: Callable[[Machine, MemoryImages], None]) -> str | None:
    """What is said when the subtraction left something else."""
    images = MemoryImages.zeros(HW)
    images.vram[:128] = drawn()
    states = KnownStates(HW, WORDS, images, HW.hbm_bytes)
    before = states.after(4)
    wanted = states.step(before).machine
    left = wanted.images.copy()
    change(before.machine.fork(), left)
    got = Left("stopped", None, 5, 5, wanted.registers, left)
    difference = state_difference(got, wanted.images, wanted.registers)
    return operands.explain(before, states, WORDS[4], got, difference, NAMES)


def subtract(machine: Machine, images: MemoryImages, row: int, other: int) -> None:
    """What the subtraction leaves with these source rows."""
    machine.gp[1], machine.gp[2] = 8 * row, 8 * other
    machine.run([WORDS[4]], resume=True)
    images.vram[ROWS] = machine.images.vram[ROWS]


@pytest.mark.parametrize(("row", "other", "said"), [(4, 2, "T row 4"), (6, 2, "T row 6"), (5, 3, "T row 3")])
def test_a_neighbouring_row(row: int, other: int, said: str) -> None:
    text = explain(lambda machine, images: subtract(machine, images, row, other))
    assert text is not None and said in text and "the neighbouring row was read or forwarded" in text


def test_a_row_as_it_was_before() -> None:
    def stale(machine: Machine, images: MemoryImages) -> None:
        machine.images.vram[:128] = drawn()
        subtract(machine, images, 5, 2)

    text = explain(stale)
    assert text is not None and "T row 5" in text and "before instruction 3 wrote it" in text


def test_another_place() -> None:
    def elsewhere(machine: Machine, images: MemoryImages) -> None:
        images.vram[72:80] = images.vram[ROWS]
        images.vram[ROWS] = machine.images.vram[ROWS]

    text = explain(elsewhere)
    assert text is not None and "its result is right, but went to T row 9" in text and "T row 7" in text


def test_a_reduction_of_the_neighbouring_row() -> None:
    words = assemble("S_ADDI_INT gp1, gp0, 40\nV_RED_MAX f3, gp1\nC_BREAK")
    images = MemoryImages.zeros(HW)
    images.vram[:128] = drawn()
    states = KnownStates(HW, words, images, HW.hbm_bytes)
    before = states.after(1)
    wanted = states.step(before).machine
    for row, said in ((4, "T row 4"), (5, None)):
        other = before.machine.fork()
        other.gp[1] = 8 * row
        other.run([words[1]], resume=True)
        got = Left("stopped", None, 2, 2, other.registers, images)
        difference = state_difference(got, wanted.images, wanted.registers)
        text = operands.explain(before, states, words[1], got, difference, NAMES)
        assert (text is None) if said is None else (text is not None and said in text)


def test_what_nothing_explains() -> None:
    def noise(_machine: Machine, images: MemoryImages) -> None:
        images.vram[57] ^= 1

    assert explain(noise) is None
