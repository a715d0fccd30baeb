"""Integer instructions: arithmetic on gp registers modulo 2^32, and what moves between them and INT_MEM."""

from __future__ import annotations

from collections.abc import Callable

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.reference.core import Core
from plena_ref.machine.reference.scalar_memory import load_word, store_word
from plena_ref.machine.reference.step import GP_SINK, WORD, Coded, Step

#: Operations of two gp registers, by mnemonic; the result is taken modulo 2^32.
TWO_SOURCES: dict[str, Callable[[int, int], int]] = {
    "S_ADD_INT": int.__add__,
    "S_SUB_INT": int.__sub__,
    "S_MUL_INT": int.__mul__,
}


def two_registers(core: Core, code: Coded) -> Step:
    """The step of shape G3."""
    gp, a, b = core.gp, code.get(isa.RS1), code.get(isa.RS2)
    destination = code.get(isa.RD) or GP_SINK
    operation = code.meaning(TWO_SOURCES, code.entry.mnemonic, "integer.py")

    def step() -> None:
        gp[destination] = operation(gp[a], gp[b]) & WORD

    return step


def immediate(core: Core, code: Coded) -> Step:
    """The step of shape G_IMMEDIATE."""
    gp, a, imm = core.gp, code.get(isa.RS1), code.get(isa.IMM18)
    destination = code.get(isa.RD) or GP_SINK

    def step() -> None:
        gp[destination] = (gp[a] + imm) & WORD

    return step


def upper(core: Core, code: Coded) -> Step:
    """The step of shape G_UPPER."""
    gp, destination, value = core.gp, code.get(isa.RD) or GP_SINK, (code.get(isa.IMM22) << 12) & WORD

    def step() -> None:
        gp[destination] = value

    return step


def load(core: Core, code: Coded) -> Step:
    """The step of shape G_LOAD."""
    return load_word(core, code, core.gp, GP_SINK, core.images.intmem, TrapCause.INT_MEM_RANGE)


def store(core: Core, code: Coded) -> Step:
    """The step of shape G_STORE."""
    return store_word(core, code, core.gp, core.images.intmem, core.written.intmem, TrapCause.INT_MEM_RANGE)
