"""Run one case on the RTL and judge it: what ``make sim`` and the system tests share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from plena_ref.analysis.error_prediction import expected_maximum
from plena_ref.isa.disassembler import disassemble
from plena_ref.isa.listing import numbered
from plena_ref.machine.reference import Machine, StopReport
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict import compare
from plena_ref.verdict.accuracy import accurate
from plena_ref.verdict.compare import Verdict
from plena_ref.verdict.report import print_stages, print_verdict, to_json
from plena_ref.verdict.stages import StageVerdict, StageWatch, first_wrong
from plena_ref.verdict.vacuity import Vacuity, prove, wrong_results
from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case
from tb.bench import utilisation
from tb.bench.assembly import Assembly
from tb.bench.diagnose import Ran
from tb.bench.harness import Job, JobResult
from tb.bench.job import FULL_RATE
from tb.bench.options import RunOptions
from tb.bench.phases import phase
from tb.bench.run_jobs import run_jobs
from tb.diagnosis.account import Account
from tb.diagnosis.account_text import print_account
from tb.diagnosis.hints import Hints
from tb.diagnosis.listing_lines import shown_path
from tb.engine import paths, simulate

#: The version of the form of ``result.json``.
RESULT_SCHEMA = 1


@dataclass(frozen=True)
class CaseOutcome:
    """A case that has run.

    Attributes:
        case: what ran.
        simulator: where.
        verdict: comparison with the reference machine and with the golden.
        got: what the RTL left.
        reference: how the reference machine stopped.
        build_seconds: time to build the model, 0.0 if it came from the cache.
        workload: what was judged.
        wanted: what the reference machine left in the memories.
        stages: verdict stage by stage, where the case has stages.
        account: what a failure comes from, once somebody has looked.
        beats: beats a cycle that the memory moved in each direction, at most.
    """

    case: Case
    simulator: str
    verdict: Verdict
    got: JobResult
    reference: StopReport
    build_seconds: float
    workload: Workload
    wanted: MemoryImages
    stages: tuple[StageVerdict, ...] = ()
    account: Account | None = None
    beats: Fraction = FULL_RATE

    @property
    def ran(self) -> Ran:
        """The run, for whoever looks for the cause of a failure."""
        wrong = first_wrong(self.stages)
        hints = Hints(self.case, None if wrong is None else wrong.reason + self._written_by(wrong))
        got, wanted, case = self.got, self.wanted, self.case
        return Ran(self.workload, got, wanted, self.reference, self.simulator, case.seed, hints)

    def _written_by(self, wrong: StageVerdict) -> str:
        """The files of the kernel that wrote a stage's instructions, most of them first."""
        first, stop = wrong.pcs or (0, 0)
        files = Counter(file for file, _ in self.workload.sources[first:stop])
        names = [str(shown_path(file, paths.REPO)) for file, _ in files.most_common()]
        return f", written by {', '.join(names)}" if names else ""

    @cached_property
    def vacuity(self) -> Vacuity:
        """What the judge of this run makes of wrong results."""
        work = self.workload
        wrong = {**wrong_results(work.golden), **self.case.problem.wrong_results(self.case)}
        return prove(work.golden, work.deviation, wrong, lambda values: accurate(work, values))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the run did not pass, besides what the verdict says."""
        found = []
        got, reference = self.got, self.reference
        if (got.status, got.cause, got.pc) != (reference.status, reference.cause, reference.pc):
            found.append(
                f"ended with {_ending(got.status, got.cause, got.pc)}, "
                f"the reference machine with {_ending(reference.status, reference.cause, reference.pc)}"
            )
        elif got.status != "stopped":
            found.append(f"ended with {_ending(got.status, got.cause, got.pc)}")
        if got.instructions != reference.instructions:
            found.append(f"{got.instructions} instructions completed, reference {reference.instructions}")
        wrong = first_wrong(self.stages)
        if wrong is not None:
            found.append(wrong.reason)
        if got.protocol_errors:
            found.append(f"{got.protocol_errors} violations of the AXI protocol")
        found += [f"VACUOUS: a wrong result would pass, {name}" for name in self.vacuity.vacuous]
        return tuple(found)

    @property
    def passed(self) -> bool:
        """The verdict passes and the program ended as on the reference machine."""
        return self.verdict.passed and not self.reasons

    def to_json(self) -> dict[str, object]:
        """The contents of ``result.json`` (docs/result.md)."""
        verdict = to_json(self.verdict)
        hw = self.case.hardware
        return {
            "schema": RESULT_SCHEMA,
            "test": self.case.name,
            "simulator": self.simulator,
            "hardware": {"mlen": hw.mlen, "blen": hw.blen, "hlen": hw.hlen},
            "passed": self.passed,
            "bit_exact": verdict["bit_exact"],
            "tolerance": {"atol": self.case.tolerance.atol, "rtol": self.case.tolerance.rtol},
            "batches": verdict["batches"],
            "wrong_results": self.vacuity.to_json(),
            "out_of_bounds_writes": verdict["out_of_bounds_writes"],
            "differences": verdict["differences"],
            "reasons": [*self.reasons, *self.verdict.reasons],
            "account": self.account.to_json() if self.account is not None else None,
            "cycles": self.got.cycles,
            "instructions": self.got.instructions,
            "beats_per_cycle": str(self.beats),
            **utilisation.summary(self.got.counters, self.got.cycles, hw, self.beats),
            "counters": self.got.counters.to_json(),
            "build_seconds": round(self.build_seconds, 3),
            "sim_seconds": round(self.got.seconds, 4),
            "cycles_per_second": round(self.got.cycles / self.got.seconds),
        }

    def print(self, console: Console) -> None:
        """Print what a person wants to know about the run."""
        case, hw = self.case, self.case.hardware
        console.print(f"{case.name}: {case.problem.describe()}, seed {case.seed}", soft_wrap=True)
        console.print(
            f"MLEN {hw.mlen}, BLEN {hw.blen}, HLEN {hw.hlen}, kernel {case.kernel}, on {self.simulator}"
        )
        rate = self.got.cycles / self.got.seconds
        built = f"built in {self.build_seconds:.1f} s" if self.build_seconds else "model from the cache"
        console.print(
            f"{self.got.cycles} cycles, {self.got.instructions} instructions; {built}, "
            f"ran in {self.got.seconds:.2f} s ({rate:,.0f} cycles/s)"
        )
        utilisation.print_bars(console, self.got.counters, self.got.cycles, hw, self.beats)
        for reason in self.reasons:
            console.print(f"  {reason}", markup=False, soft_wrap=True)
        if self.stages:
            print_stages(self.stages, console)
        if self.workload.predicted is not None:
            console.print(_of_expected_errors(self.workload.predicted), soft_wrap=True)
        console.print(_of_wrong_results(self.vacuity), soft_wrap=True)
        print_verdict(self.verdict, console)
        if self.account is not None:
            print_account(self.account, console)
        if self.verdict.passed and not self.passed:
            console.print("FAIL: the results match, but the run is no proof")


def run_case(
    case: Case,
    options: RunOptions,
    *,
    folder: Path | None = None,
    trace: bool = False,
    assembly: Assembly | None = None,
) -> CaseOutcome:
    """Build, run and judge a case.

    Args:
        case: what to run; its seed seeds the pauses of the memory.
        options: where and how.
        folder: where the simulation leaves its log and its waves.
        trace: record the retired instructions, which waves do too.
        assembly: a program as text that takes the place of the kernel's; None: the kernel's.

    Raises:
        CaseError: the case cannot be built.
        WavePlaceError: see :func:`tb.bench.run_jobs.run_jobs`.
        SimulatorMissing, SimulationError: see tb/engine/simulate.py.
    """
    with phase("program and data"):
        workload = build(case) if assembly is None else assembly.put_into(build(case))
    timing = (options.latency, options.jitter, case.seed)
    job = Job(workload.words, workload.images, workload.limit, *timing, trace=trace, beats=options.beats)
    listing = numbered(workload.listing, workload.words) if options.waves else ""
    run = run_jobs(case.hardware, [job], options, folder, listing)
    return replace(judge(workload, run.jobs[0], options.sim, run.build_seconds), beats=options.beats)


def judge(
    workload: Workload, got: JobResult, simulator: str | None = None, build_seconds: float = 0.0
) -> CaseOutcome:
    """Run the reference machine and compare; ``simulator`` is where it ran (None: the default one)."""
    hw = workload.case.hardware
    with phase("reference"):
        machine = Machine(hw, workload.images.copy(), workload.limit)
        watch = StageWatch(workload.stages, machine.images) if workload.stages else None
        report = machine.run(workload.words, watch=watch)
    with phase("comparison"):
        verdict = compare.compare(workload, got.images, machine.images, got.registers, report.registers)
    simulator = simulator or simulate.default_simulator()
    stages = tuple(watch.verdicts) if watch else ()
    return CaseOutcome(
        workload.case, simulator, verdict, got, report, build_seconds, workload, machine.images, stages
    )


def describe_trap(words: Sequence[int], cause: str | None, pc: int) -> str:
    """One line about a trap: cause, pc and the instruction there."""
    where = disassemble(words[pc]) if pc < len(words) else "end of the program"
    return f"trap {cause} at pc {pc}: {where}"


def _ending(status: str, cause: str | None, pc: int) -> str:
    return f"trap {cause} at pc {pc}" if status == "trap" else f"{status} at pc {pc}"


def _of_expected_errors(deviation: NDArray[np.float64]) -> str:
    """How large the errors of a result should be, from the standard error of each element."""
    typical, largest = np.sqrt(np.mean(deviation**2)), expected_maximum(deviation**2)
    return f"errors to expect from the roundings: {typical:.2g} (rms), {largest:.2g} (largest)"


def _of_wrong_results(vacuity: Vacuity) -> str:
    """One line about what the verdict can tell from the truth."""
    known = len(vacuity.refused) + len(vacuity.vacuous) + len(vacuity.not_resolvable)
    line = f"wrong results that this verdict refuses: {len(vacuity.refused)} of {known}"
    smaller = [f"{name} ({count} elements)" for name, count in vacuity.not_resolvable.items()]
    return f"{line}; too close to the golden: {', '.join(smaller)}" if smaller else line
