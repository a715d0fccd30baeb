"""For notebooks: build a case, run it, look at its tensors, and stop the reference machine where you like.

>>> import plena_ref
>>> case = plena_ref.case("mha_ragged", seq=6)
>>> case
<mha_ragged: batch 3, seq 6, kv_seq 6, heads 1, head_dim 24, causal; MLEN 16, BLEN 4; 337 instructions>
>>> run = case.run()
>>> run
<mha_ragged on reference: stopped, every element within its bounds>
>>> run.result.shape
(3, 6, 1, 24)
>>> float(abs(run.error).max()) < 0.05
True
>>> run.tensor("O").shape
(48, 32)
>>> case.names[:4]
['Q', 'O', 'Qs', 'Oacc']

`case.run("verilator")` runs the RTL where the bench is installed. docs/notebook.md shows more.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.disassembler import disassemble
from plena_ref.isa.instructions import INSTRUCTIONS
from plena_ref.machine.reference import Machine
from plena_ref.machine.reference.step import Step
from plena_ref.machine.state import MemoryImages, Registers
from plena_ref.verdict.accuracy import accurate, result_values
from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES

F64 = NDArray[np.float64]
#: The elements of a tensor as numbers; of INT_MEM its words.
Words = NDArray[np.float32] | NDArray[np.uint32]
Axes = Any  # Any: of matplotlib, which is imported when it is asked for
#: Where an installed bench says what runs its cases, and where a checkout has that.
_ENTRY, _CHECKOUT = "plena.bench", "tb.bench.case_runner"


class BenchMissing(RuntimeError):
    """The bench is not installed, so there is no RTL to run on."""


class _Reached(Exception):
    """The instruction at which the machine is to stop comes next."""


def _tensor(work: Workload, images: MemoryImages, name: str) -> Words:
    """A tensor by its name, rows x columns as it lies there, padding included.

    Raises:
        KeyError: there is no such tensor; the message lists those there are.
    """
    for one in work.tensors:
        if one.name == name:
            return one.values(images)
    raise KeyError(f"there is no tensor {name!r}; there are {', '.join(one.name for one in work.tensors)}")


@dataclass(frozen=True, repr=False)
class Run:
    """What a run left.

    Attributes:
        work: what ran.
        simulator: where: `reference`, or a simulator.
        images: all memories.
        registers: the registers.
        status: "stopped", or how else it ended.
        instructions: completed.
        cycles: on the RTL; None on the reference machine, which has no clock.
    """

    work: Workload = field(repr=False)
    simulator: str
    images: MemoryImages = field(repr=False)
    registers: Registers
    status: str
    instructions: int
    cycles: int | None = None

    def __repr__(self) -> str:
        """A line."""
        good = "every element within its bounds" if self.accurate else "not accurate"
        return f"<{self.work.case.name} on {self.simulator}: {self.status}, {good}>"

    @cached_property
    def result(self) -> F64:
        """The active elements of the result: batch x seq x heads x columns of a head."""
        return result_values(self.work, self.images.vram)

    @property
    def golden(self) -> F64:
        """What it must come to, shaped as the result."""
        return self.work.golden

    @property
    def error(self) -> F64:
        """Result less golden."""
        return self.result - self.golden

    @property
    def accurate(self) -> bool:
        """Whether every element is as close to the golden as the verdict wants it."""
        return accurate(self.work, self.result)

    def tensor(self, name: str) -> Words:
        """A tensor after the run by its name, rows x columns as it lies there, padding included.

        Raises:
            KeyError: there is no such tensor; the message lists those there are.
        """
        return _tensor(self.work, self.images, name)

    def error_map(self, batch: int = 0, head: int = 0, axes: Axes = None) -> Axes:
        """Draw the size of the error of every element of a head with matplotlib: rows down, columns across.

        Args:
            batch, head: which part of the result.
            axes: where to draw; None: in a new figure.

        Returns:
            the axes.
        """
        if axes is None:
            axes = importlib.import_module("matplotlib.pyplot").subplots()[1]
        image = axes.imshow(np.abs(self.error[batch, :, head]), aspect="auto", interpolation="nearest")
        axes.figure.colorbar(image, ax=axes)
        axes.set(title=f"|error|, batch {batch}, head {head}", xlabel="column", ylabel="row")
        return axes


@dataclass(frozen=True, repr=False)
class Paused:
    """The reference machine before an instruction.

    Attributes:
        work: what runs.
        images: all memories.
        registers: the registers.
        pc: of the instruction that comes next.
        visit: how often it came up to then, this time included.
    """

    work: Workload
    images: MemoryImages
    registers: Registers
    pc: int
    visit: int

    def __repr__(self) -> str:
        """A line with the instruction."""
        return f"<{self.work.case.name} before pc {self.pc}, visit {self.visit}: {self.instruction}>"

    @property
    def instruction(self) -> str:
        """The instruction that comes next."""
        return disassemble(self.work.words[self.pc])

    def tensor(self, name: str) -> Words:
        """A tensor at this moment by its name; see :meth:`Run.tensor`."""
        return _tensor(self.work, self.images, name)


@dataclass(frozen=True, repr=False)
class Study:
    """A case made ready to run.

    Attributes:
        work: program, images and golden.
    """

    work: Workload

    def __repr__(self) -> str:
        """A line with the problem, the machine and the size of the program."""
        case, hw = self.work.case, self.work.hardware
        machine = f"MLEN {hw.mlen}, BLEN {hw.blen}"
        return f"<{case.name}: {case.problem.describe()}; {machine}; {len(self.work.words)} instructions>"

    @property
    def names(self) -> list[str]:
        """The tensors by name."""
        return [one.name for one in self.work.tensors]

    @property
    def listing(self) -> str:
        """The program as commented assembly."""
        return self.work.listing

    def tensor(self, name: str) -> Words:
        """A tensor before the run by its name; what is not staged is NaN. See :meth:`Run.tensor`."""
        return _tensor(self.work, self.work.images, name)

    def run(self, simulator: str = "reference", **options: object) -> Run:
        """Run it.

        Args:
            simulator: `reference`, or a simulator of the bench: verilator, icarus.
            options: of the bench's `RunOptions`, such as latency=40.

        Raises:
            BenchMissing: there is no bench.
        """
        if simulator == "reference":
            machine = Machine(self.work.hardware, self.work.images.copy(), self.work.limit)
            report = machine.run(self.work.words)
            return Run(
                self.work, simulator, machine.images, report.registers, report.status, report.instructions
            )
        bench = _bench()
        got = bench.run_case(self.work.case, bench.RunOptions(simulator, **options)).got
        return Run(self.work, simulator, got.images, got.registers, got.status, got.instructions, got.cycles)

    def step_to(self, pc: int, visit: int = 1) -> Paused:
        """The reference machine just before the instruction at `pc` runs for the `visit`-th time.

        >>> case = plena_ref.case("mha_batch2")
        >>> texts = [disassemble(word) for word in case.work.words]
        >>> pc = next(pc for pc, text in enumerate(texts) if text.startswith("V_RED_MAX"))
        >>> case.step_to(pc)  # doctest: +ELLIPSIS
        <mha_batch2 before pc ..., visit 1: V_RED_MAX f..., gp...>

        Raises:
            ValueError: it does not run so often.
        """
        machine = Machine(self.work.hardware, self.work.images.copy(), self.work.limit)
        seen = 0

        def watch(at: int, step: Step) -> Step:
            def counting() -> int | None:
                nonlocal seen
                seen += 1
                if seen == visit:
                    raise _Reached
                return step()

            return counting if at == pc else step

        try:
            machine.run(self.work.words, watch=watch)
        except _Reached:
            return Paused(self.work, machine.images, machine.registers, pc, visit)
        raise ValueError(f"the instruction at pc {pc} runs {seen} times, not {visit}")


def _bench() -> ModuleType:
    """The module of the bench that runs cases."""
    installed = [*importlib.metadata.entry_points(group=_ENTRY)]
    try:
        return installed[0].load() if installed else importlib.import_module(_CHECKOUT)
    except ModuleNotFoundError:
        why = 'the bench is not installed: work in a checkout, or pip install "plena[sim]"'
        raise BenchMissing(why) from None


def case(name: str, **overrides: object) -> Study:
    """A registered case, with other values for some of its fields.

    >>> plena_ref.case("linear", seq=2, in_features=64, out_features=64)
    <linear: batch 1, seq 2, 64 to 64 features; MLEN 64, BLEN 16; 50 instructions>

    Raises:
        KeyError: there is no such case.
        CaseError: a value that the case refuses; the message names the rule.
    """
    if name not in CASES:
        raise KeyError(f"there is no case {name!r}; plena_ref.cases() lists them")
    return Study(build(CASES[name].override(**overrides)))


def cases() -> dict[str, str]:
    """The registered cases by name, each with its problem in a line.

    >>> plena_ref.cases()["mha_batch2"]
    'batch 2, seq 4, kv_seq 4, heads 2, head_dim 64, not causal'
    """
    return {name: one.problem.describe() for name, one in CASES.items()}


def signature(mnemonic: str) -> str:
    """How an instruction is written, and what it does.

    >>> print(plena_ref.signature("V_ADD_VV"))
    V_ADD_VV gpD, gpA, gpB[, rmask]: Row = row A + row B.

    Raises:
        KeyError: there is no such instruction.
    """
    entry = INSTRUCTIONS[mnemonic]
    needed = [one.name for one in entry.operands if not one.optional]
    optional = "".join(f"[, {one.name}]" for one in entry.operands if one.optional)
    return f"{mnemonic} {', '.join(needed)}{optional}: {entry.meaning}"
