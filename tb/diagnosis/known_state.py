"""The reference machine after any number of instructions, for whoever asks in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.machine.reference.machine import InstructionLimitError
from plena_ref.machine.state import MemoryImages


@dataclass(frozen=True)
class Known:
    """The machine after `instructions` instructions, and the pc of the next one."""

    machine: Machine
    instructions: int
    pc: int


class KnownStates:
    """States of one run; each is made from the last one that was kept.

    Args:
        hw, words, images, limit: the machine, the program, memories before the run, and the limit of HBM.
    """

    def __init__(self, hw: Hardware, words: Sequence[int], images: MemoryImages, limit: int) -> None:
        self.words = words
        self.kept = Known(Machine(hw, images.copy(), limit), 0, 0)

    def after(self, instructions: int) -> Known:
        """The state after so many instructions, not fewer than those of the kept one; it may have stopped."""
        return self._run(self.kept, instructions - self.kept.instructions)

    def step(self, known: Known) -> Known:
        """The state one instruction later; its record of writes holds those of the instruction alone."""
        return self._run(known, 1)

    def _run(self, start: Known, steps: int) -> Known:
        machine = start.machine.fork()
        if steps == 0:
            return Known(machine, start.instructions, start.pc)
        try:
            report = machine.run(self.words, start.pc, steps, resume=True)
        except InstructionLimitError as error:
            return Known(machine, start.instructions + steps, error.pc)
        return Known(machine, report.instructions, report.pc)

    def keep(self, known: Known) -> None:
        """States from here on are made from this one."""
        self.kept = known
