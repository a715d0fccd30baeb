"""Every instruction has a meaning in the reference machine; every elementwise one does its examples."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import Instruction
from plena_ref.machine.reference import Machine
from plena_ref.machine.state import MemoryImages
from tests.machine.examples import ONE_SOURCE, TWO_SOURCES
from tests.machines import SMALL

LEGAL = [entry for entry in isa.INSTRUCTIONS.values() if entry.legal]
ELEMENTWISE = [
    entry for entry in LEGAL if entry.shape.name in ("VV", "VF", "VF_REVERSIBLE", "V1", "F3", "F2")
]
named = pytest.mark.parametrize("entry", LEGAL, ids=lambda entry: entry.mnemonic)


@named
def test_every_instruction_decodes(entry: Instruction) -> None:
    """A word of each runs or traps; one without a meaning is named, with the file that lacks it."""
    Machine(SMALL, MemoryImages.zeros(SMALL)).run([entry.opcode])


def result(entry: Instruction, sources: tuple[int, ...], flag: int) -> int:
    """What the instruction makes of raw bf16 `sources`, by way of FP_MEM and f registers or VRAM rows."""
    images = MemoryImages.zeros(SMALL)
    images.fpmem[: len(sources)] = sources
    code = isa.INSTRUCTIONS
    words = [code["S_ADDI_INT"].encode((1, 0, SMALL.mlen)), code["S_ADDI_INT"].encode((2, 0, 2 * SMALL.mlen))]
    words += [code["S_LD_FP"].encode((n + 1, 0, n)) for n in range(len(sources))]
    for n, value in enumerate(sources):
        images.vram[n * SMALL.mlen : (n + 1) * SMALL.mlen] = value
    operands = {
        "VV": (2, 0, 1, 0),
        "VF": (2, 0, 2, 0),
        "VF_REVERSIBLE": (2, 0, 2, 0, flag),
        "V1": (2, 0, 0),
        "F3": (3, 1, 2),
        "F2": (3, 1),
    }[entry.shape.name]
    machine = Machine(SMALL, images)
    report = machine.run([*words, entry.encode(operands)])
    assert report.cause is None
    if entry.unit is isa.Unit.F:
        return report.registers.f[3]
    row = machine.images.vram[2 * SMALL.mlen : 3 * SMALL.mlen]
    assert np.all(row == row[0])
    return int(row[0])


@pytest.mark.parametrize("entry", ELEMENTWISE, ids=lambda entry: entry.mnemonic)
def test_worked_examples(entry: Instruction) -> None:
    table = ONE_SOURCE if entry.shape.name in ("V1", "F2") else TWO_SOURCES
    for flag, name in enumerate(entry.operations):
        assert name in table, f"tests/machine/examples.py has no example of {name} for {entry.mnemonic}"
        for *sources, wanted in table[name]:
            got = result(entry, tuple(sources), flag)
            shown = " ".join(f"{source:04X}" for source in sources)
            assert got == wanted, f"{entry.mnemonic} ({name}) of {shown}: {got:04X}, not {wanted:04X}"
