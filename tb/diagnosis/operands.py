"""What a wrong row instruction did: with which other operand, or in which place, it gives what it left."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np

from plena_ref.isa.instructions import BY_OPCODE, RD, RS1, RS2, Field, opcode
from plena_ref.machine.numerics import U16
from plena_ref.machine.reference import Machine
from plena_ref.machine.reference.machine import InstructionLimitError
from tb.diagnosis.known_state import Known, KnownStates
from tb.diagnosis.names import Names
from tb.diagnosis.state import Left, StateDifference

#: Source rows of the instructions whose result is a row of VRAM, by the name of their shape.
_SOURCES: dict[str, tuple[Field, ...]] = {
    "VV": (RS1, RS2),
    "VF": (RS1,),
    "VF_REVERSIBLE": (RS1,),
    "V1": (RS1,),
    "SHIFT": (RS1,),
}
#: Rows away from the right one that are tried.
_NEIGHBOURS = (-1, 1, -2, 2, -3, 3, -4, 4)
#: Instructions before it whose writes are left out one after another.
_EARLIER = 12


def explain(
    before: Known, states: KnownStates, word: int, got: Left, difference: StateDifference, names: Names
) -> str | None:
    """A sentence about a wrong row instruction; None where nothing that is tried gives what it left.

    Args:
        before: the reference machine before it; states: how to make others, from the start of the run.
        word: the instruction.
        got, difference: what it left on the RTL, and what of that is wrong.
        names: of the run.
    """
    entry, machine = BY_OPCODE.get(opcode(word)), before.machine
    if entry is None or entry.shape.name not in _SOURCES or "vram" not in difference.memories:
        return None
    target = machine.gp[RD.get(word)] >> machine.row_bits
    rows = got.images.vram.reshape(-1, machine.hw.mlen)
    for field in _SOURCES[entry.shape.name]:
        row = machine.gp[field.get(word)] >> machine.row_bits
        for distance in _NEIGHBOURS:
            other = row + distance
            if 0 <= other < machine.hw.vram_rows and _gives(
                before, states, row, machine.rows[other], target, rows
            ):
                away = "the neighbouring row" if abs(distance) == 1 else f"a row {abs(distance)} away"
                return (
                    f"what it left is, to the bit, what it makes of {_row(names, other)} in the place of "
                    f"{_row(names, row)}: {away} was read or forwarded to it"
                )
        stale = _stale(before, states, row, target, rows)
        if stale is not None:
            return (
                f"what it left is, to the bit, what it makes of {_row(names, row)} as it was before "
                f"instruction {stale} wrote it: it did not wait for that row, or was not forwarded it"
            )
    return _elsewhere(before, states, target, rows, difference, names)


def _row(names: Names, row: int) -> str:
    """A row of VRAM by its tensor."""
    mlen = names.hw.mlen
    return names.where("vram", np.arange(row * mlen, (row + 1) * mlen))[0]


def _step(before: Known, states: KnownStates, row: int = 0, content: U16 | None = None) -> Machine:
    """The machine after the instruction, with another content in a row before it."""
    machine = before.machine.fork()
    if content is not None:
        machine.rows[row] = content
    with contextlib.suppress(InstructionLimitError):
        machine.run(states.words, before.pc, 1, resume=True)
    return machine


def _gives(before: Known, states: KnownStates, row: int, content: U16, target: int, rows: U16) -> bool:
    """Whether the instruction leaves what the RTL left when a source row holds something else."""
    if np.array_equal(before.machine.rows[row], content):
        return False
    return np.array_equal(_step(before, states, row, content).rows[target], rows[target])


def _stale(before: Known, states: KnownStates, row: int, target: int, rows: U16) -> int | None:
    """The instruction whose write to the source row did not reach it, or None."""
    first = max(0, before.instructions - _EARLIER)
    known = states.after(first)
    while known.instructions < before.instructions:
        following = states.step(known)
        changed = not np.array_equal(known.machine.rows[row], following.machine.rows[row])
        if changed and _gives(before, states, row, known.machine.rows[row], target, rows):
            return known.instructions
        known = following
    return None


def _elsewhere(
    before: Known,
    states: KnownStates,
    target: int,
    rows: U16,
    difference: StateDifference,
    names: Names,
) -> str | None:
    """Whether the right result went to another row."""
    right = _step(before, states).rows[target]
    wrong: Sequence[int] = np.unique(difference.memories["vram"] // before.machine.hw.mlen).tolist()
    for row in wrong:
        if row != target and np.array_equal(rows[row], right):
            return (
                f"its result is right, but went to {_row(names, row)} in the place of {_row(names, target)}"
            )
    return None
