"""What a run on the RTL that failed comes from: its wrong words by name, and the first wrong instruction."""

from __future__ import annotations

from plena_ref.isa.listing import numbered
from plena_ref.workloads.base import Workload
from tb.bench.case_runner import CaseOutcome
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


def names_of(workload: Workload) -> Names:
    """Names for the words of a workload."""
    return Names(workload.hardware, workload.tensors, workload.outputs)


def listing_of(workload: Workload) -> ListingLines:
    """The listing of a workload, with the lines of its kernel."""
    return ListingLines(numbered(workload.listing, workload.words), workload.sources, paths.REPO)


def diagnose(outcome: CaseOutcome, run: RunOptions) -> Account:
    """Look for the cause of a failure."""
    workload, got = outcome.workload, outcome.got
    difference = state_difference(got, outcome.wanted, outcome.reference.registers)
    names = names_of(workload)
    found = _first_wrong(outcome, run) if _wrong_bits(outcome, difference) else None
    return Account(
        differences=account.differences(names, difference.memories, got.images, outcome.wanted),
        registers=difference.registers,
        culprit=None
        if found is None
        else account.culprit(found, names, listing_of(workload), workload.words),
    )


def _wrong_bits(outcome: CaseOutcome, difference: StateDifference) -> bool:
    """The machine did something else than the reference machine."""
    got, reference = outcome.got, outcome.reference
    return bool(difference) or (got.status, got.pc) != (reference.status, reference.pc)


def _first_wrong(outcome: CaseOutcome, run: RunOptions) -> first_wrong.FirstWrong | None:
    """Bisect the watchdog's cycle, all runs in one simulation."""
    workload, got, seed = outcome.workload, outcome.got, outcome.case.seed
    if got.trace is None:
        return None
    with Session(workload.hardware, outcome.simulator, run.waves, run.x_seed) as session:

        def run_to(cycle: int) -> JobResult:
            job = Job(
                workload.words, workload.images, workload.limit, run.latency, run.jitter, seed, watchdog=cycle
            )
            return session.run(job)

        budget = max(BUDGET, TIMES * got.seconds)
        return first_wrong.find(workload, got, got.trace, run_to, budget)
