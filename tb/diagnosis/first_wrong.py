"""The first wrong instruction of a run on the RTL: the cycle of a watchdog is bisected.

A watchdog stop drains precisely (docs/isa.md, "Programs and their control"), so the state after any number of
instructions can be compared with the reference machine's. The state before the instruction is right and the
state after it is wrong; both were seen. Sums in the matrix unit cannot be seen: a wrong one shows at its
write-out, from which the search goes on to what its products have read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.instructions import BY_OPCODE, INSTRUCTIONS, opcode
from plena_ref.machine.reference import Machine
from plena_ref.machine.staged import Runnable
from plena_ref.machine.state import MemoryImages, Registers
from tb.diagnosis import accesses
from tb.diagnosis.known_state import Known, KnownStates
from tb.diagnosis.state import Left, StateDifference, state_difference

_START, _END = (INSTRUCTIONS[name].opcode for name in ("C_LOOP_START", "C_LOOP_END"))
#: Products of a sum that are looked at, the last ones.
_MOST_PRODUCTS = 16
#: Effects that are looked at on both sides when there is no time to bisect.
_AIMS = 2
#: How a difference calls the pc of the next instruction.
_NEXT_PC = "register pc"
#: How an instruction was found.
CONFIRMED = "the state before it is right, the state after it is wrong"
PAIR = "dispatched in one cycle with the other; one of the two is wrong"
EFFECT = "the earliest instruction whose result is still there at the end, and is wrong"
STOPPED = "the earliest whose result is wrong at the last stop of a search that ran out of time"

#: Runs the program to a cycle, drains, and returns what it left.
RunTo = Callable[[int], Left]


@dataclass(frozen=True)
class FirstWrong:
    """The first wrong instruction.

    Attributes:
        number: instructions before it.
        pc, word, cycle: where it stands, what it is, when it was dispatched.
        how: how it was found.
        other: pc of the instruction dispatched with it, where it may be either.
        loops: the open loops, (pc of the start, pass from 1), outermost first.
        difference: what is wrong after it.
        got: the state after it on the RTL.
        wanted, wanted_registers: the state that it should have left.
        before: the reference machine before it.
        probes: runs that it took.
        seconds: wall-clock time that it took.
    """

    number: int
    pc: int
    word: int
    cycle: int
    how: str
    other: int | None
    loops: tuple[tuple[int, int], ...]
    difference: StateDifference
    got: Left
    wanted: MemoryImages
    wanted_registers: Registers
    before: Known
    probes: int
    seconds: float


def _mnemonic(word: int) -> str:
    """The name of an instruction, or nothing."""
    entry = BY_OPCODE.get(opcode(word))
    return entry.mnemonic if entry is not None else ""


class _Bisection:
    """The search in one run; boundary k is the moment before the instructions of the k-th cycle with any."""

    def __init__(self, program: Runnable, end: Left, trace: NDArray[np.uint32], run_to: RunTo) -> None:
        self.program, self.end, self.trace, self.run_to = program, end, trace, run_to
        self.cycles = np.unique(trace[:, 2])
        self.arguments = (program.hardware, program.words, program.images, program.limit)
        self.states = KnownStates(*self.arguments)
        self.start = self.last = self.states.kept
        self.right, self.wrong = 0, len(self.cycles)
        self.left: Left = end
        self.known: Known | None = None
        self.difference = StateDifference()
        self.probes = self.simulated = 0

    def search(self, deadline: float, cycles: int) -> bool:
        """Bring the right and the wrong boundary together; False when time and cycles are up."""

        def in_time() -> bool:
            return self.simulated < cycles or time.monotonic() < deadline

        while self._close_in(in_time):
            earlier = next((k for k in self._hidden() if in_time() and self._is_wrong(k)), None)
            if earlier is None:
                return True
            self.right = 0
            self.states.keep(self.start)
        return False

    def _close_in(self, in_time: Callable[[], bool]) -> bool:
        """Bisect between the two boundaries; False when the time is up."""
        while self.wrong - self.right > 1:
            if not in_time():
                return False
            middle = (self.right + self.wrong) // 2
            if not self._is_wrong(middle):
                self.right = middle
                self.states.keep(self.last)
        return True

    def aim(self) -> bool:
        """Look on both sides of the earliest effect, and of that before it; whether one is confirmed."""
        for _ in range(_AIMS):
            self.finish()
            number = self.earliest_effect(self.states.kept.instructions)
            if number is None:
                return False
            place = int(np.searchsorted(self.cycles, self.trace[number, 2]))
            for boundary in (place, place + 1):
                if not self.right < boundary < self.wrong:
                    continue
                if self._is_wrong(boundary):
                    break
                self.right = boundary
                self.states.keep(self.last)
            if self.wrong - self.right == 1:
                return True
        return False

    def _is_wrong(self, boundary: int) -> bool:
        """Whether the state at a boundary is wrong; it is the wrong one from then on."""
        left = self.run_to(int(self.cycles[boundary]))
        self.probes += 1
        self.simulated += int(self.cycles[boundary])
        states = self.states
        if left.instructions < states.kept.instructions:
            states = KnownStates(*self.arguments)
        self.last = states.after(left.instructions)
        machine = self.last.machine
        difference = state_difference(left, machine.images, machine.registers)
        if left.pc != self.last.pc:
            line = f"{_NEXT_PC}: got {left.pc}, reference {self.last.pc}"
            difference = replace(difference, registers=(*difference.registers, line))
        if not difference:
            return False
        self.wrong, self.left, self.known, self.difference = boundary, left, self.last, difference
        return True

    def _hidden(self) -> list[int]:
        """Boundaries before the products of the sum that the first wrong state is the write-out of."""
        first = self.states.kept.instructions
        words = self.trace[: first + 2, 1]
        if not any(_mnemonic(int(word)).endswith("_WO") for word in words[first:]):
            return []
        products: list[int] = []
        for number in range(first - 1, -1, -1):
            name = _mnemonic(int(words[number]))
            if name.endswith("_WO") or len(products) == _MOST_PRODUCTS:
                break
            if name.startswith("M_"):
                products.append(int(np.searchsorted(self.cycles, self.trace[number, 2])))
        return [k for k in dict.fromkeys(products) if k < self.right]

    def finish(self) -> None:
        """The state after the culprit where no stop has shown it: at the end of the run."""
        if self.known is None:
            self.known = self.states.after(self.end.instructions)
            machine = self.known.machine
            self.difference = state_difference(self.end, machine.images, machine.registers)

    def earliest_effect(self, first: int) -> int | None:
        """The earliest from `first` on that, up to the wrong stop, wrote last a word that is wrong there."""
        assert self.known is not None
        program = self.program
        images, stop = program.images.copy(), max(self.known.instructions, first + 1)
        run = accesses.of_run(program.hardware, program.words, images, program.limit, stop)
        found = [
            int(writers.min())
            for memory, addresses in self.difference.memories.items()
            for written in [run.writer[memory][addresses[addresses < len(run.writer[memory])]]]
            for writers in [written[written >= first]]
            if len(writers)
        ]
        return min(found) if found else None


def find(
    program: Runnable,
    end: Left,
    trace: NDArray[np.uint32],
    run_to: RunTo,
    budget: float,
    cycles: int = 0,
) -> FirstWrong | None:
    """The first wrong instruction of a run that left a wrong state; None where no instruction ran.

    Args:
        program: what ran.
        end: what it left.
        trace: its retired instructions, (pc, word, cycle).
        run_to: runs it again, to a cycle.
        budget: wall-clock seconds that the search may take.
        cycles: simulated cycles that it may take, however long they take on a loaded host. When both are
            used up, the writers of what is wrong at the last wrong stop are looked at, in a few runs more.
    """
    if not len(trace):
        return None
    started = time.monotonic()
    search = _Bisection(program, end, trace, run_to)
    whole = search.search(started + budget, cycles) or search.aim()
    search.finish()
    known = search.known
    assert known is not None
    first = search.states.kept.instructions
    candidates = range(first, max(known.instructions, first + 1))
    late = EFFECT if search.wrong == len(search.cycles) else STOPPED
    number, how, other = _culprit(search, candidates) if whole else (None, late, None)
    if number is None:
        # Stops may have hidden what is wrong at the end.
        number = search.earliest_effect(0 if late == EFFECT else first)
    if number is None or number >= len(trace):
        number = min(first, len(trace) - 1)
    pc, word, cycle = (int(value) for value in trace[number])
    before = (search.states if number >= first else KnownStates(*search.arguments)).after(number)
    return FirstWrong(
        number=number,
        pc=pc,
        word=word,
        cycle=cycle,
        how=how,
        other=other,
        loops=open_loops(trace, number),
        difference=search.difference,
        got=search.left,
        wanted=known.machine.images,
        wanted_registers=known.machine.registers,
        before=before,
        probes=search.probes,
        seconds=time.monotonic() - started,
    )


def _culprit(search: _Bisection, candidates: range) -> tuple[int | None, str, int | None]:
    """Which of the instructions between two stops is wrong: the one that wrote what is wrong.

    Nothing that is wrong at the end was written by the last of them: stops hide the fault, as they drain.
    """
    if len(candidates) == 1 and search.wrong < len(search.cycles):
        return candidates[0], CONFIRMED, None
    if not search.difference.memories and [*map(_name, search.difference.registers)] == [_name(_NEXT_PC)]:
        return candidates[-1], CONFIRMED, None
    guilty = [number for number in candidates if _wrote(search, number)]
    if len(guilty) == 1:
        return guilty[0], CONFIRMED, None
    if search.wrong == len(search.cycles):
        return None, EFFECT, None
    other = int(search.trace[candidates[-1], 0])
    return candidates[0], PAIR, other


def _name(line: str) -> str:
    """The register that a line of a difference is about."""
    return line.split()[1].rstrip(":")


def _wrote(search: _Bisection, number: int) -> bool:
    """Whether instruction `number` writes a word or register that is wrong."""
    before = search.states.after(number)
    after = search.states.step(before).machine
    if any(
        getattr(after.written, memory)[addresses].any()
        for memory, addresses in search.difference.memories.items()
    ):
        return True
    names = set(map(_name, search.difference.registers))
    return bool(names & _changed(before.machine, after))


def _changed(before: Machine, after: Machine) -> set[str]:
    """Names of the registers that differ between two machines."""
    pairs = {
        f"{file}{index}": pair
        for file in ("gp", "f", "a")
        for index, pair in enumerate(zip(getattr(before, file), getattr(after, file), strict=True))
    }
    pairs |= {
        name.upper(): (getattr(before, name), getattr(after, name)) for name in ("scale", "stride", "v_mask")
    }
    return {name for name, (left, right) in pairs.items() if left != right}


def open_loops(trace: NDArray[np.uint32], number: int) -> tuple[tuple[int, int], ...]:
    """The open loops before an instruction of a trace: pc of the start, and the pass, outermost first.

    A pass is counted, not read off the counter, which a body may use for something else or set.
    """
    found: list[list[int]] = []
    for at in np.flatnonzero(np.isin(trace[:number, 1] & 63, (_START, _END))):
        pc = int(trace[at, 0])
        if trace[at, 1] & 63 == _START:
            found.append([pc, 1])
        elif found and int(trace[at + 1, 0]) == pc + 1:
            found.pop()
        elif found:
            found[-1][1] += 1
    return tuple((start, turn) for start, turn in found)
