"""What the units' files have in common: a decoded instruction, how it traps or stops, and decoding itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from plena_ref.isa.instructions import Field, Instruction, TrapCause
from plena_ref.machine.reference.core import Core, Trap
from plena_ref.machine.state import F_REGISTERS, GP_REGISTERS

WORD = 0xFFFF_FFFF
# Writes to gp0 and f0 go to one extra cell after the register file, which nothing reads.
GP_SINK = GP_REGISTERS
F_SINK = F_REGISTERS

#: One decoded instruction: returns the next pc, or None for the following instruction.
Step = Callable[[], int | None]

_Meaning = TypeVar("_Meaning")


class Break(Exception):
    """C_BREAK was reached."""


@dataclass(frozen=True, slots=True)
class Coded:
    """An instruction in its place in a program: its row of the table, its word, its pc."""

    entry: Instruction
    word: int
    pc: int

    def get(self, field: Field) -> int:
        """The value of a field."""
        return field.get(self.word)

    @property
    def operation(self) -> str:
        """The operation of the instruction's unit, by name."""
        selector = self.entry.shape.selector
        if selector is None or selector.field is None:
            return self.entry.operations[0]
        return self.entry.operations[selector.field.get(self.word)]

    def meaning(self, table: Mapping[str, _Meaning], name: str, file: str) -> _Meaning:
        """What `table` of a unit's file holds under `name`.

        Raises:
            NotImplementedError: nothing; the message names the instruction and the file.
        """
        if name not in table:
            where = f"plena_ref/machine/reference/{file}"
            raise NotImplementedError(f"{self.entry.mnemonic}: no meaning for {name} in {where}")
        return table[name]


#: Makes the step of an instruction.
Decoder = Callable[[Core, Coded], Step]


def trapping(cause: TrapCause) -> Step:
    """The step of a word that traps whatever the registers hold."""

    def step() -> None:
        raise Trap(cause)

    return step
