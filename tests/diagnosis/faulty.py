"""A machine that does one instruction wrong, in the place of RTL; it stops at a cycle as a watchdog does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.reference import Machine
from plena_ref.machine.reference.step import Step
from plena_ref.machine.state import MemoryImages, Registers
from plena_ref.workloads.base import Workload


@dataclass(frozen=True)
class Left:
    """What a run left, as `tb.bench.job.JobResult`."""

    status: str
    cause: str | None
    pc: int
    instructions: int
    registers: Registers
    images: MemoryImages


class _Over(Exception):
    """The cycle of the watchdog."""


class FaultyMachine:
    """Runs a workload with a fault.

    Args:
        work: what runs.
        number: the instruction after which the fault acts.
        fault: what it does to the machine.
        width: instructions that are dispatched in a cycle; a cycle is idle after each.
        every: called after each instruction with its number.

    Attributes:
        trace: as of the RTL.
    """

    def __init__(
        self,
        work: Workload,
        number: int,
        fault: Callable[[Machine], None],
        width: int = 1,
        every: Callable[[Machine, int], None] = lambda machine, number: None,
    ) -> None:
        self.every = every
        self.work, self.number, self.fault, self.width = work, number, fault, width
        self._pcs: list[int] = []
        self.end = self._run(None)
        pcs = np.array(self._pcs)
        cycles = 100 + 2 * (np.arange(len(pcs)) // width)
        words = np.array([work.words[pc] for pc in pcs])
        self.trace: NDArray[np.uint32] = np.stack([pcs, words, cycles], axis=1).astype(np.uint32)

    def run_to(self, cycle: int) -> Left:
        """As a run with a watchdog: what is dispatched before the cycle takes effect."""
        return self._run(int((self.trace[:, 2] < cycle).sum()))

    def _run(self, most: int | None) -> Left:
        machine = Machine(self.work.hardware, self.work.images.copy(), self.work.limit)
        done: list[int] = []

        def watch(pc: int, step: Step) -> Step:
            def watched() -> int | None:
                if most is not None and len(done) == most:
                    raise _Over
                done.append(pc)
                target = step()
                if len(done) - 1 == self.number:
                    self.fault(machine)
                self.every(machine, len(done) - 1)
                return target

            return watched

        try:
            report = machine.run(self.work.words, watch=watch)
        except _Over:
            following = self._pcs[len(done)]
            return Left("trap", "WATCHDOG", following, len(done), machine.registers, machine.images)
        self._pcs = done
        return Left(
            report.status, report.cause, report.pc, report.instructions, report.registers, machine.images
        )
