"""Who wrote each word last, and which words were read at all, from a run of the reference machine.

The addresses of every instruction are those of `provenance_rules.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.machine.reference.machine import InstructionLimitError
from plena_ref.machine.reference.step import Step
from plena_ref.machine.state import MemoryImages, memory_sizes
from tb.diagnosis.provenance import CLEAN, Labels, Provenance, rule_of
from tb.diagnosis.provenance_rules import RULES

#: Of a word that no instruction wrote.
NOBODY = -1


class Accesses(Provenance):
    """What a run reads and writes.

    Attributes:
        number: instructions so far; the one under way has this number.
        writer: number of the instruction that wrote each word last, by memory; `NOBODY`.
        was_read: whether any instruction read a word, by memory.
    """

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, machine.written)
        sizes = memory_sizes(machine.hw) | {"hbm": machine.limit}
        self.number = 0
        self.writer = {name: np.full(size, NOBODY, np.int32) for name, size in sizes.items()}
        self.was_read = {name: np.zeros(size, np.bool_) for name, size in sizes.items()}

    def read(self, pc: int, memory: str, where: NDArray[np.int64]) -> Labels:
        """Note words that an instruction reads; all labels are clean."""
        self.was_read[memory][where] = True
        return np.full(np.shape(where), CLEAN, np.int32)

    def write(self, memory: str, where: NDArray[np.int64], labels: Labels | int) -> None:
        """Note words that the instruction under way writes."""
        self.writer[memory][where] = self.number


def of_run(
    hw: Hardware, words: Sequence[int], images: MemoryImages, limit: int, instructions: int | None = None
) -> Accesses:
    """The accesses of a program's run on the reference machine, whole or its first `instructions`.

    `images` are changed.
    """
    machine = Machine(hw, images, limit)
    accesses = Accesses(machine)

    def watch(pc: int, step: Step) -> Step:
        word = int(words[pc])
        rule = rule_of(word, RULES)

        def watched() -> int | None:
            try:
                done = rule(accesses, pc, word) if rule is not None else None
            except (IndexError, ValueError):
                # An operand past the end of its memory: the step traps.
                done = None
            target = step()
            if done is not None:
                done()
            accesses.number += 1
            return target

        return watched

    with contextlib.suppress(InstructionLimitError):
        machine.run(words, max_instructions=instructions, watch=watch)
    return accesses
