"""What a run on the RTL that failed comes from: its wrong words by name, and the first wrong instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.listing import numbered
from plena_ref.machine.reference import StopReport
from plena_ref.machine.staged import Runnable
from plena_ref.machine.state import MemoryImages
from plena_ref.machine.tensors import NamedTensor
from plena_ref.verdict.accuracy import matching, result_values
from plena_ref.verdict.judged import Judged
from tb.bench.job import Job, JobResult
from tb.bench.options import RunOptions
from tb.bench.session import Session
from tb.diagnosis import accesses, account, first_wrong, operands, reading, unread, wrong_words
from tb.diagnosis.account import Account, Culprit
from tb.diagnosis.hints import Hints
from tb.diagnosis.known_state import KnownStates
from tb.diagnosis.listing_lines import ListingLines
from tb.diagnosis.names import Names
from tb.diagnosis.state import StateDifference, state_difference
from tb.engine import paths

F64 = NDArray[np.float64]

#: Seconds that the search for the first wrong instruction may take, and how many times the run's own cycles.
BUDGET, TIMES = 60.0, 5


class Work(Judged, Runnable, Protocol):
    """What ran: a workload, or the record of a run."""

    @property
    def listing(self) -> str:
        """The program as assembly text."""

    @property
    def sources(self) -> Sequence[tuple[str, int]]:
        """File and line of the kernel behind each instruction; empty where nobody knows."""

    @property
    def tensors(self) -> Sequence[NamedTensor]:
        """What lies where."""


@dataclass(frozen=True)
class Ran:
    """A run on the RTL and what should have come of it.

    Attributes:
        work: what ran.
        got: what it left.
        wanted, reference: what the reference machine left, and how it stopped.
        simulator, seed: where it ran, and the seed of the memory's pauses.
        hints: what else is known.
    """

    work: Work
    got: JobResult
    wanted: MemoryImages
    reference: StopReport
    simulator: str
    seed: int
    hints: Hints


def names_of(work: Work) -> Names:
    """Names for the words of a workload."""
    return Names(work.hardware, work.tensors, work.outputs)


def listing_of(work: Work) -> ListingLines:
    """The listing of a workload, with the lines of its kernel."""
    return ListingLines(numbered(work.listing, work.words), work.sources, paths.REPO)


def diagnose(ran: Ran, run: RunOptions | None) -> Account:
    """Look for the cause of a failure; the first wrong instruction only with options to run it again."""
    work, got = ran.work, ran.got
    difference = state_difference(got, ran.wanted, ran.reference.registers)
    names = names_of(work)
    bits = _wrong_bits(ran, difference)
    found = _culprit(ran, run, names) if bits and run is not None else None
    return Account(
        differences=account.differences(names, difference.memories, got.images, ran.wanted),
        registers=difference.registers,
        culprit=found,
        reading=reading.read(
            errors_of(work, got.images, ran.hints.first_position),
            not bits,
            found,
            ran.hints.wrong_stage,
            [] if bits else _never_read(work, names),
            ran.hints.suspects(work.golden),
        ),
    )


def errors_of(work: Judged, images: MemoryImages, first_position: int | None) -> reading.Errors:
    """The result that a run left beside its golden."""
    golden, interval, tolerance = work.golden, work.interval, work.tolerance
    got = result_values(work, images.vram)

    def matches(values: F64, wanted: F64) -> NDArray[np.bool_]:
        around = None
        if interval is not None:
            around = interval[0] - golden + wanted, interval[1] - golden + wanted
        return matching(values, wanted, tolerance, around)

    right = matching(got, golden, tolerance, interval)
    return reading.Errors(got, golden, right, matches, work.hardware.mlen, first_position)


def _never_read(work: Work, names: Names) -> list[str]:
    """What was staged for nothing."""
    run = accesses.of_run(work.hardware, work.words, work.images.copy(), work.limit)
    return unread.never_read(names, run, work.images, [*work.outputs, *work.scratch])


def _culprit(ran: Ran, run: RunOptions, names: Names) -> Culprit | None:
    """The first wrong instruction, and what it did."""
    work, found = ran.work, _first_wrong(ran, run)
    if found is None:
        return None
    start = KnownStates(work.hardware, work.words, work.images, work.limit)
    did = operands.explain(found.before, start, found.word, found.got, found.difference, names)
    if did is None:
        before = found.before.machine.images
        did = wrong_words.explain(found.difference, before, found.got.images, found.wanted)
    return account.culprit(found, names, listing_of(work), work.words, did)


def _wrong_bits(ran: Ran, difference: StateDifference) -> bool:
    """The machine did something else than the reference machine."""
    got, reference = ran.got, ran.reference
    return bool(difference) or (got.status, got.pc) != (reference.status, reference.pc)


def _first_wrong(ran: Ran, run: RunOptions) -> first_wrong.FirstWrong | None:
    """Bisect the watchdog's cycle, all runs in one simulation."""
    work, got = ran.work, ran.got
    if got.trace is None:
        return None
    with Session(work.hardware, ran.simulator, run.waves, run.x_seed) as session:

        def run_to(cycle: int) -> JobResult:
            job = Job(work.words, work.images, work.limit, run.latency, run.jitter, ran.seed, watchdog=cycle)
            return session.run(job)

        return first_wrong.find(work, got, got.trace, run_to, BUDGET, TIMES * got.cycles)
