"""A fault of tiling, layout or placement against the quick diagonal, judged as the sweep judges a cell.

Such a fault changes programs and memory images, nothing else, so the reference machine runs them. What it
leaves goes through the verdict of a cell as if the RTL had left it. The fault is in this process, and only
while it is tried.
"""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache

from plena_ref.isa.counters import Counters
from plena_ref.machine.reference import InstructionLimitError, Machine
from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES
from tb.bench.job import JobResult
from tb.engine.paths import REPO
from tb.mutants.generated import GeneratedMutant
from tb.mutants.patch import patched
from tb.sweep import cell as cells
from tb.sweep.matrix import Cell

#: A faulty program may run so many times as many instructions as the right one of its cell.
INSTRUCTION_FACTOR = 4
#: Cases that are tried after the quick cells.
REGISTERED = ("window_sinks", "plain_ragged", "gqa_packed_narrow", "mha_head72", "embedding")
#: Seconds after which a fault counts as one that does not end.
TIME_LIMIT = 10


class Outcome(Enum):
    """What the cells say of a fault."""

    CAUGHT = "caught"
    #: A program or an image cannot be made: the sweep ends with "could not run".
    REFUSED = "refused"
    #: Something differs, and every cell that it differs in passes.
    SURVIVED = "survived"
    #: No program and no image of any cell differs.
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class ProgramTrial:
    """What became of a fault.

    Attributes:
        mutant: the fault.
        outcome: what the cells say.
        cell: the first cell that caught or refused it; empty otherwise.
        evidence: that cell's reason.
        differing: cells whose program or images differed, as far as they were tried.
        seconds: wall clock.
    """

    mutant: GeneratedMutant
    outcome: Outcome
    cell: str
    evidence: str
    differing: int
    seconds: float


class _TooLong(Exception):
    """The time is up."""


@contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _signature(workload: Workload) -> str:
    """Everything of a workload that a run or its verdict depends on."""
    digest = hashlib.sha256()
    images = workload.images
    for memory in (images.vram, images.msram, images.fpmem, images.intmem, images.hbm):
        digest.update(memory.tobytes())
    rest = (workload.words, workload.limit, workload.outputs, workload.scratch, workload.comparison)
    digest.update(repr((*rest, workload.head_cols)).encode())
    return digest.hexdigest()


@cache
def _original(cell: Cell) -> tuple[str, int]:
    """Signature of a cell without a fault, and the instructions that it takes."""
    workload = build(cell.case)
    signature = _signature(workload)
    report = Machine(workload.hardware, workload.images, workload.limit).run(workload.words)
    return signature, report.instructions


def reference_result(workload: Workload, max_instructions: int) -> JobResult:
    """What the reference machine leaves of a workload, in the place of what the RTL leaves.

    Raises:
        InstructionLimitError: the program did not stop in time.
    """
    machine = Machine(workload.hardware, workload.images.copy(), workload.limit)
    started = time.perf_counter()
    report = machine.run(workload.words, max_instructions=max_instructions)
    return JobResult(
        status=report.status,
        cause=report.cause,
        pc=report.pc,
        cycles=0,
        instructions=report.instructions,
        counters=Counters.read(lambda _: 0),
        bus_beats=(0, 0),
        observed={},
        registers=report.registers,
        images=machine.images,
        hbm_high_water=machine.hbm_high_water,
        control={},
        trace=None,
        protocol_errors=0,
        seconds=time.perf_counter() - started,
    )


def try_on_cells(mutant: GeneratedMutant, chosen: Sequence[Cell]) -> ProgramTrial:
    """Try a fault on the cells, in their order, until one catches it."""
    module = mutant.file.removesuffix(".py").replace("/", ".")
    text = mutant.apply((REPO / mutant.file).read_text())
    started = time.perf_counter()
    differing = 0
    for cell in chosen:
        signature, instructions = _original(cell)
        try:
            with patched(module, text), _time_limit(TIME_LIMIT):
                found = _try_on_cell(cell, signature, INSTRUCTION_FACTOR * instructions)
        except _TooLong:
            found = (Outcome.REFUSED, f"no end within {TIME_LIMIT} s")
        if found is None:
            continue
        outcome, evidence = found
        differing += 1
        if outcome is not Outcome.SURVIVED:
            seconds = time.perf_counter() - started
            return ProgramTrial(mutant, outcome, cell.name, evidence, differing, seconds)
    outcome = Outcome.SURVIVED if differing else Outcome.UNCHANGED
    return ProgramTrial(mutant, outcome, "", "", differing, time.perf_counter() - started)


def _try_on_cell(cell: Cell, signature: str, max_instructions: int) -> tuple[Outcome, str] | None:
    """What a cell says of the fault that is in force; None when the cell is as it was."""
    try:
        workload = build(cell.case)
        if _signature(workload) == signature:
            return None
        result = cells.judge(workload, reference_result(workload, max_instructions))
    except InstructionLimitError as error:
        return Outcome.CAUGHT, f"the program does not end: {error}"
    except _TooLong:
        raise
    except Exception as error:
        return Outcome.REFUSED, f"{type(error).__name__}: {error}"
    return (Outcome.SURVIVED, "") if result.passed else (Outcome.CAUGHT, result.reasons[0])


def registered() -> list[Cell]:
    """Registered cases of what no cell of the matrix has: windows, sinks, packed outputs, the end of HBM."""
    return [Cell(f"case {name}", {}, CASES[name]) for name in REGISTERED]


def in_order(chosen: Sequence[Cell]) -> list[Cell]:
    """Cells with a mask and ragged edges first, the cheap ones before the others: most faults end there."""
    plain = [cell for cell in chosen if cell.values["mask"] == "full"]
    masked = [cell for cell in chosen if cell.values["mask"] != "full"]
    return [*sorted(masked, key=lambda cell: cell.work), *sorted(plain, key=lambda cell: cell.work)]
