"""What a wrong row instruction did: with which other operand, or in which place, it gives what it left."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np

from plena_ref.isa.instructions import BY_OPCODE, RD, RS1, RS2, Field, opcode
from plena_ref.machine.numerics import U16
from plena_ref.machine.reference.machine import InstructionLimitError
from tb.diagnosis.known_state import Known, KnownStates
from tb.diagnosis.names import Names
from tb.diagnosis.state import Left, StateDifference

#: Source rows of the row instructions, by the name of their shape.
_SOURCES: dict[str, tuple[Field, ...]] = {
    "VV": (RS1, RS2),
    "VF": (RS1,),
    "VF_REVERSIBLE": (RS1,),
    "V1": (RS1,),
    "SHIFT": (RS1,),
    "REDUCTION": (RS1,),
}
#: The shape whose result is an f register.
_REDUCTION = "REDUCTION"
#: Rows away from the right one that are tried.
_NEIGHBOURS = (-1, 1, -2, 2, -3, 3, -4, 4)
#: Instructions before it whose writes are left out one after another.
_EARLIER = 12


@dataclass(frozen=True)
class _Trial:
    """The instruction, to be tried on other operands.

    Attributes:
        before: the reference machine before it.
        states: makes others, from the start of the run.
        left: what it left on the RTL: a row of VRAM, or the word of an f register.
        target: number of that row, or None for the register.
        register: number of the f register.
    """

    before: Known
    states: KnownStates
    left: U16
    target: int | None
    register: int

    def result(self, row: int = 0, content: U16 | None = None) -> U16:
        """What it gives when a row holds another content before it."""
        machine = self.before.machine.fork()
        if content is not None:
            machine.rows[row] = content
        with contextlib.suppress(InstructionLimitError):
            machine.run(self.states.words, self.before.pc, 1, resume=True)
        if self.target is None:
            return np.array([machine.f[self.register]], np.uint16)
        return np.asarray(machine.rows[self.target])

    def gives(self, row: int, content: U16) -> bool:
        """Whether it leaves what the RTL left when a source row holds something else."""
        if np.array_equal(self.before.machine.rows[row], content):
            return False
        return np.array_equal(self.result(row, content), self.left)


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
    if entry is None or entry.shape.name not in _SOURCES:
        return None
    register = RD.get(word)
    rows = got.images.vram.reshape(-1, machine.hw.mlen)
    if entry.shape.name == _REDUCTION:
        left = np.array([got.registers.f[register]], np.uint16)
        trial = _Trial(before, states, left, None, register)
    else:
        target = machine.gp[register] >> machine.row_bits
        trial = _Trial(before, states, rows[target], target, register)
    for field in _SOURCES[entry.shape.name]:
        row = machine.gp[field.get(word)] >> machine.row_bits
        found = _neighbour(trial, row, names) or _stale(trial, row, names)
        if found is not None:
            return found
    return _elsewhere(trial, rows, difference, names)


def _row(names: Names, row: int) -> str:
    """A row of VRAM by its tensor."""
    mlen = names.hw.mlen
    return names.where("vram", np.arange(row * mlen, (row + 1) * mlen))[0]


def _neighbour(trial: _Trial, row: int, names: Names) -> str | None:
    """Whether it took a row near the right one."""
    machine = trial.before.machine
    for distance in _NEIGHBOURS:
        other = row + distance
        if 0 <= other < machine.hw.vram_rows and trial.gives(row, machine.rows[other]):
            away = "the neighbouring row" if abs(distance) == 1 else f"a row {abs(distance)} away"
            return (
                f"what it left is, to the bit, what it makes of {_row(names, other)} in the place of "
                f"{_row(names, row)}: {away} was read or forwarded to it"
            )
    return None


def _stale(trial: _Trial, row: int, names: Names) -> str | None:
    """Whether it took the right row as it was before a write that did not reach it."""
    last, states = trial.before.instructions, trial.states
    known = states.after(max(0, last - _EARLIER))
    while known.instructions < last:
        following = states.step(known)
        changed = not np.array_equal(known.machine.rows[row], following.machine.rows[row])
        if changed and trial.gives(row, known.machine.rows[row]):
            return (
                f"what it left is, to the bit, what it makes of {_row(names, row)} as it was before "
                f"instruction {known.instructions} wrote it: it did not wait for that row, or was not "
                "forwarded it"
            )
        known = following
    return None


def _elsewhere(trial: _Trial, rows: U16, difference: StateDifference, names: Names) -> str | None:
    """Whether the right result went to another row."""
    if trial.target is None or "vram" not in difference.memories:
        return None
    right = trial.result()
    for row in np.unique(difference.memories["vram"] // names.hw.mlen).tolist():
        if row != trial.target and np.array_equal(rows[row], right):
            where = f"went to {_row(names, row)} in the place of {_row(names, trial.target)}"
            return f"its result is right, but {where}"
    return None
