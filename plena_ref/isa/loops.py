"""Hardware loops as a program's text has them: their counts are immediate, so it says how often each runs."""

from __future__ import annotations

from collections.abc import Sequence

from plena_ref.isa import instructions as isa

_START, _END = (isa.INSTRUCTIONS[name].opcode for name in ("C_LOOP_START", "C_LOOP_END"))
_STOP = isa.INSTRUCTIONS["C_BREAK"].opcode


def executions(words: Sequence[int]) -> list[int]:
    """How often each instruction runs when the program stops normally; 0 past its first C_BREAK.

    Loops that are not closed count to the end of the program, and an end without a start counts nothing.
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
