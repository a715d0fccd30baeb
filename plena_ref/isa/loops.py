"""Hardware loops as a program's text has them: their counts are immediate, so it says how often each runs.

A body may set the counter of its loop, though, and end it earlier; what the text says is then the most.
"""

from __future__ import annotations

from collections.abc import Sequence

from plena_ref.isa import instructions as isa
from plena_ref.isa.access import Access, Space
from plena_ref.isa.encoding import RD

_START, _END = (isa.INSTRUCTIONS[name].opcode for name in ("C_LOOP_START", "C_LOOP_END"))
_STOP = isa.INSTRUCTIONS["C_BREAK"].opcode
_LOAD = isa.INSTRUCTIONS["S_LD_INT"].opcode


def executions(words: Sequence[int]) -> list[int]:
    """How often each instruction runs when the program stops normally; 0 past its first C_BREAK.

    In the bodies that `may_end_early` names it is the most. Loops that are not closed count to the end of
    the program, and an end without a start counts nothing.
    """
    counts: list[int] = []
    open_loops = [1]
    for word in words:
        opcode = isa.opcode(word)
        counts.append(open_loops[-1])
        if opcode == _START:
            open_loops.append(open_loops[-1] * isa.IMM22.get(word))
        elif opcode == _END and len(open_loops) > 1:
            open_loops.pop()
        elif opcode == _STOP:
            break
    return counts + [0] * (len(words) - len(counts))


def may_end_early(words: Sequence[int]) -> list[range]:
    """The pcs of each body that sets its loop's counter; one that loads it again from INT_MEM keeps it."""
    found: list[range] = []
    open_loops: list[list[int]] = []
    for pc, word in enumerate(words):
        opcode, register = isa.opcode(word), RD.get(word)
        if opcode == _END and open_loops:
            start, _, last = open_loops.pop()
            if last not in (_START, _LOAD):
                found.append(range(start + 1, pc + 1))
        entry = isa.BY_OPCODE.get(opcode)
        if entry is not None and Access(Space.GP, (RD,)) in entry.shape.writes:
            for loop in open_loops:
                loop[2] = opcode if loop[1] == register else loop[2]
        if opcode == _START:
            open_loops.append([pc, register, _START])
        elif opcode == _STOP:
            break
    return found
