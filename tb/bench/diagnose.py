"""What a run on the RTL that failed comes from: its wrong words by name, and the first wrong instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from plena_ref.isa.listing import numbered
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import StopReport
from plena_ref.machine.regions import Region
from plena_ref.machine.state import MemoryImages
from plena_ref.machine.tensors import NamedTensor
from tb.bench.job import Job, JobResult
from tb.bench.options import RunOptions
from tb.bench.session import Session
from tb.diagnosis import account, first_wrong
from tb.diagnosis.account import Account
from tb.diagnosis.listing_lines import ListingLines
from tb.diagnosis.names import Names
from tb.diagnosis.state import StateDifference, state_difference
from tb.engine import paths

#: Seconds that the search for the first wrong instruction may take, and how many times the run's own.
BUDGET, TIMES = 60.0, 5.0


class Work(Protocol):
    """What ran: a workload, or the record of a run."""

    @property
    def hardware(self) -> Hardware:
        """The machine."""

    @property
    def words(self) -> Sequence[int]:
        """The program."""

    @property
    def listing(self) -> str:
        """The program as assembly text."""

    @property
    def sources(self) -> Sequence[tuple[str, int]]:
        """File and line of the kernel behind each instruction; empty where nobody knows."""

    @property
    def images(self) -> MemoryImages:
        """Memories before the run."""

    @property
    def limit(self) -> int:
        """HBM bytes that belong to data."""

    @property
    def tensors(self) -> Sequence[NamedTensor]:
        """What lies where."""

    @property
    def outputs(self) -> Sequence[Region]:
        """The words that hold the result."""


@dataclass(frozen=True)
class Ran:
    """A run on the RTL and what should have come of it.

    Attributes:
        work: what ran.
        got: what it left.
        wanted, reference: what the reference machine left, and how it stopped.
        simulator, seed: where it ran, and the seed of the memory's pauses.
    """

    work: Work
    got: JobResult
    wanted: MemoryImages
    reference: StopReport
    simulator: str
    seed: int


def names_of(work: Work) -> Names:
    """Names for the words of a workload."""
    return Names(work.hardware, work.tensors, work.outputs)


def listing_of(work: Work) -> ListingLines:
    """The listing of a workload, with the lines of its kernel."""
    return ListingLines(numbered(work.listing, work.words), work.sources, paths.REPO)


def diagnose(ran: Ran, run: RunOptions) -> Account:
    """Look for the cause of a failure."""
    work, got = ran.work, ran.got
    difference = state_difference(got, ran.wanted, ran.reference.registers)
    names = names_of(work)
    found = _first_wrong(ran, run) if _wrong_bits(ran, difference) else None
    return Account(
        differences=account.differences(names, difference.memories, got.images, ran.wanted),
        registers=difference.registers,
        culprit=None if found is None else account.culprit(found, names, listing_of(work), work.words),
    )


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

        return first_wrong.find(work, got, got.trace, run_to, max(BUDGET, TIMES * got.seconds))
