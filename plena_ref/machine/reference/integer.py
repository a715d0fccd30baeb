"""Integer instructions: arithmetic on gp registers modulo 2^32, and what moves between them and INT_MEM."""

from __future__ import annotations

from collections.abc import Callable

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.reference.core import Core, Trap
from plena_ref.machine.reference.step import GP_SINK, WORD, Coded, Decoder, Step

#: Operations of two gp registers, by mnemonic; the result is taken modulo 2^32.
TWO_SOURCES: dict[str, Callable[[int, int], int]] = {
    "S_ADD_INT": int.__add__,
    "S_SUB_INT": int.__sub__,
    "S_MUL_INT": int.__mul__,
}


def _two_registers(core: Core, code: Coded) -> Step:
    gp, a, b = core.gp, code.get(isa.RS1), code.get(isa.RS2)
    destination = code.get(isa.RD) or GP_SINK
    operation = code.meaning(TWO_SOURCES, code.entry.mnemonic, "integer.py")

    def step() -> None:
        gp[destination] = operation(gp[a], gp[b]) & WORD

    return step


def _immediate(core: Core, code: Coded) -> Step:
    gp, a, imm = core.gp, code.get(isa.RS1), code.get(isa.IMM18)
    destination = code.get(isa.RD) or GP_SINK

    def step() -> None:
        gp[destination] = (gp[a] + imm) & WORD

    return step


def _upper(core: Core, code: Coded) -> Step:
    gp, destination, value = core.gp, code.get(isa.RD) or GP_SINK, (code.get(isa.IMM22) << 12) & WORD

    def step() -> None:
        gp[destination] = value

    return step


def _load(core: Core, code: Coded) -> Step:
    gp, intmem, words = core.gp, core.images.intmem, core.hw.int_words
    destination, base, imm = code.get(isa.RD) or GP_SINK, code.get(isa.RS1), code.get(isa.IMM18)

    def step() -> None:
        address = gp[base] + imm
        if address >= words:
            raise Trap(TrapCause.INT_MEM_RANGE)
        gp[destination] = intmem.item(address)

    return step


def _store(core: Core, code: Coded) -> Step:
    gp, intmem, words, written = core.gp, core.images.intmem, core.hw.int_words, core.written.intmem
    source, base, imm = code.get(isa.RD), code.get(isa.RS1), code.get(isa.IMM18)

    def step() -> None:
        address = gp[base] + imm
        if address >= words:
            raise Trap(TrapCause.INT_MEM_RANGE)
        intmem[address] = gp[source]
        written[address] = True

    return step


#: How an instruction is decoded, by shape.
DECODERS: dict[str, Decoder] = {
    "G3": _two_registers,
    "G_IMMEDIATE": _immediate,
    "G_UPPER": _upper,
    "G_LOAD": _load,
    "G_STORE": _store,
}
