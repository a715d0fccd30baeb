"""The run loop of the reference machine.

Each instruction of a program is decoded once into a closure over the machine's state; running the program
calls the closures in program order. What only hardware can show is left out: bus and fetch errors, and the
watchdog.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.reference.core import Core, Trap
from plena_ref.machine.reference.decoders import DECODERS
from plena_ref.machine.reference.step import WORD, Break, Coded, Step, trapping
from plena_ref.machine.state import Registers

#: The one instruction whose meaning depends on where it stands.
_LOOP_START = isa.INSTRUCTIONS["C_LOOP_START"].opcode


@dataclass(frozen=True)
class StopReport:
    """How a run ended.

    Attributes:
        status: "stopped" after C_BREAK or the last word, "trap" otherwise.
        cause: name of the `TrapCause`, or None on a normal stop.
        pc: of C_BREAK or of the trap's culprit, or the program's length when it ran off its end.
        instructions: completed since the last start; C_BREAK counts, a trap's culprit does not.
        registers: a copy of the architectural registers.
    """

    status: str
    cause: str | None
    pc: int
    instructions: int
    registers: Registers


class InstructionLimitError(RuntimeError):
    """A program completed `max_instructions` instructions without coming to a stop.

    Attributes:
        pc: of the next instruction; a resumed run goes on there.
    """

    def __init__(self, instructions: int, pc: int) -> None:
        super().__init__(f"no stop within {instructions} instructions; next is the one at pc {pc}")
        self.pc = pc


class Machine(Core):
    """One machine: its state, and programs run on it. `Core` lists the attributes."""

    def reset(self) -> None:
        """Bring registers, accumulators, loop stack and instruction count to 0; the memories stay."""
        super().reset()
        self._instructions = 0

    def fork(self) -> Machine:
        """An independent machine in the same state, whose record of writes begins anew."""
        other = Machine(self.hw, self.images.copy(), self.limit)
        other.hbm_high_water = self.hbm_high_water
        other.gp, other.f, other.a = list(self.gp), list(self.f), list(self.a)
        other.scale, other.stride, other.loops = self.scale, self.stride, list(self.loops)
        other.set_v_mask(self.v_mask)
        other.m, other.v = deepcopy(self.m), deepcopy(self.v)
        other.hm, other.hv = deepcopy(self.hm), deepcopy(self.hv)
        other._instructions = self._instructions
        return other

    def run(
        self,
        words: Sequence[int],
        pc: int = 0,
        max_instructions: int | None = None,
        *,
        resume: bool = False,
        watch: Callable[[int, Step], Step] | None = None,
    ) -> StopReport:
        """Run machine code `words` from `pc` until it stops or traps.

        Args:
            words: the program, one 32-bit word an instruction.
            pc: index of the first word to execute; past the last word the program is over at once.
            max_instructions: completed instructions of this call after which to give up.
            resume: keep registers, accumulators, open loops and the instruction count; else reset them.
            watch: given a pc and the step of the instruction there, returns the step to take in its place;
                it looks at the machine before and after.

        Raises:
            InstructionLimitError: `max_instructions` were completed and the program still runs.
            ValueError: `pc` is negative, or a word does not fit 32 bits.
        """
        if pc < 0:
            raise ValueError(f"pc = {pc} is negative")
        if not resume:
            self.reset()
        steps = self._decode_all(words)
        if watch is not None:
            steps = [watch(at, step) for at, step in enumerate(steps)]
        steps.append(self._run_off_the_end)
        length = len(words)
        past_the_end = max(pc - length, 0)
        pc -= past_the_end
        cause: TrapCause | None = None
        budget = -1 if max_instructions is None else max_instructions
        left = budget
        with np.errstate(all="ignore"):
            try:
                while True:
                    step = steps[pc]
                    if left == 0 and pc < length:
                        self._instructions += budget
                        raise InstructionLimitError(budget, pc)
                    target = step()
                    left -= 1
                    pc = pc + 1 if target is None else target
            except Break:
                left -= pc < length
            except Trap as trap:
                cause = trap.cause
        self._instructions += budget - left
        return StopReport(
            status="stopped" if cause is None else "trap",
            cause=None if cause is None else cause.name,
            pc=pc + past_the_end,
            instructions=self._instructions,
            registers=self.registers,
        )

    def _decode_all(self, words: Sequence[int]) -> list[Step]:
        """A closure for every word; equal words share one, but for loop starts, which know their pc."""
        shared: dict[int, Step] = {}
        steps = []
        for pc, given in enumerate(words):
            word = int(given)
            step = shared.get(word)
            if step is None:
                step = self._decode(pc, word)
                if isa.opcode(word) != _LOOP_START:
                    shared[word] = step
            steps.append(step)
        return steps

    def _decode(self, pc: int, word: int) -> Step:
        """The closure that executes `word` at `pc`; a word that does not decode becomes one that traps."""
        if not 0 <= word <= WORD:
            raise ValueError(f"the word at pc {pc} does not fit 32 bits: {word:#x}")
        cause = isa.decode_trap(word)
        if cause is not None:
            return trapping(cause)
        code = Coded(isa.BY_OPCODE[isa.opcode(word)], word, pc)
        return code.meaning(DECODERS, code.entry.shape.name, "decoders.py")(self, code)

    def _run_off_the_end(self) -> int | None:
        if self.loops:
            raise Trap(TrapCause.LOOP_MISMATCH)
        raise Break
