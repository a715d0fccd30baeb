"""The retired instructions of a run with the loops that they are in: read off the trace in program order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.disassembler import disassemble

_START, _END = (isa.INSTRUCTIONS[name].opcode for name in ("C_LOOP_START", "C_LOOP_END"))


@dataclass(frozen=True)
class Retired:
    """One instruction that retired.

    Attributes:
        number: from 0, in program order.
        pc, word, cycle: as in the trace.
        loops: passes of the open loops, outermost first, each "2 of 4".
    """

    number: int
    pc: int
    word: int
    cycle: int
    loops: tuple[str, ...]

    @property
    def text(self) -> str:
        """Its assembly."""
        return disassemble(self.word)

    @property
    def unit(self) -> str:
        """The letter of its unit, or INT or CTRL."""
        entry = isa.BY_OPCODE.get(isa.opcode(self.word))
        return entry.unit.name if entry is not None else ""


def instructions(trace: NDArray[np.uint32]) -> Iterator[Retired]:
    """Every instruction of a trace (uint32[n, 3] of pc, word, cycle)."""
    open_loops: list[list[int]] = []
    # A loop closes where the way on is to the next pc: its body may set the counter.
    following = [*trace[1:, 0].tolist(), -1]
    for number, (pc, word, cycle) in enumerate(trace.tolist()):
        loops = tuple(f"{at} of {trips}" for at, trips in open_loops)
        yield Retired(number, pc, word, cycle, loops)
        opcode = isa.opcode(word)
        if opcode == _START:
            open_loops.append([1, isa.IMM22.get(word)])
        elif opcode == _END and open_loops:
            if following[number] == pc + 1:
                open_loops.pop()
            else:
                open_loops[-1][0] += 1
