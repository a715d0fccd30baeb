"""What FP_MEM and INT_MEM have in common: a word at gp + imm18 goes to a register, or comes from one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.reference.core import Core, Trap
from plena_ref.machine.reference.step import Coded, Step

#: The words of FP_MEM, raw bf16, or of INT_MEM.
Words = NDArray[np.uint16] | NDArray[np.uint32]


def load_word(
    core: Core, code: Coded, registers: list[int], sink: int, memory: Words, out_of_range: TrapCause
) -> Step:
    """The step of a load; `sink` is the cell that takes writes to register 0."""
    gp, words = core.gp, len(memory)
    destination, base, imm = code.get(isa.RD) or sink, code.get(isa.RS1), code.get(isa.IMM18)

    def step() -> None:
        address = gp[base] + imm
        if address >= words:
            raise Trap(out_of_range)
        registers[destination] = memory.item(address)

    return step


def store_word(
    core: Core,
    code: Coded,
    registers: list[int],
    memory: Words,
    written: NDArray[np.bool_],
    out_of_range: TrapCause,
) -> Step:
    """The step of a store; `written` marks the words that programs wrote."""
    gp, words = core.gp, len(memory)
    source, base, imm = code.get(isa.RD), code.get(isa.RS1), code.get(isa.IMM18)

    def step() -> None:
        address = gp[base] + imm
        if address >= words:
            raise Trap(out_of_range)
        memory[address] = registers[source]
        written[address] = True

    return step
