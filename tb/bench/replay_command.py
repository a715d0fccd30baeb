"""Make a run again from its folder alone: ``RUN=build/runs/mha_batch2 [SIM=.. WAVES=1 ..]``; ``make replay``.

Program, images, golden and settings are those of the folder, whatever kernels and cases are today; the RTL is
today's. With WAVES=1 they go to the folder. Exits 0 on PASS, 1 on FAIL, 2 when the run could not be made.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from rich.console import Console

from plena_ref.isa.listing import numbered
from plena_ref.isa.machine_code import MachineCodeError
from plena_ref.machine.image_files import MEMORIES, ImageError
from plena_ref.machine.reference import Machine
from plena_ref.verdict.compare import Verdict, compare
from plena_ref.verdict.report import print_verdict
from tb.bench import command, diagnose, keys, options, wave_markers, waves
from tb.bench.job import Job, JobResult
from tb.bench.options import RunOptions
from tb.bench.run_jobs import run_jobs
from tb.bench.wave_places import WavePlaceError
from tb.diagnosis.account_text import print_account
from tb.diagnosis.hints import Hints
from tb.engine import simulate
from tb.engine.tools import SimulationError
from tb.runs import record
from tb.runs.record import Record, RecordError


def main(arguments: list[str]) -> int:
    """Make the run again, judge it, and return the exit status."""
    try:
        given = keys.given("replay", arguments)
        folder = given.pop("RUN", None)
        if folder is None:
            return options.fail("RUN= names the folder of a run, such as build/runs/mha_batch2")
        work = record.read(Path(folder))
        run = _options(given, work)
        simulate.find_tool(run.sim)
        ran = _again(work, run)
    except (
        options.UsageError, WavePlaceError, RecordError, ImageError, MachineCodeError, SimulationError
    ) as error:  # fmt: skip
        return options.fail(error)
    got, reference = ran.got, ran.reference
    verdict = compare(work, got.images, ran.wanted, got.registers, reference.registers)
    same_end = (got.status, got.cause, got.pc) == (reference.status, reference.cause, reference.pc)
    passed = verdict.passed and same_end and got.status == "stopped" and not got.protocol_errors
    account = None if passed else diagnose.diagnose(ran, run)

    def write(console: Console) -> None:
        _print(work, got, verdict, console)
        if not same_end:
            ending = (
                f"{got.status} at pc {got.pc}; the reference machine {reference.status} at {reference.pc}"
            )
            console.print(f"ended otherwise than the reference machine: {ending}")
        if account is not None:
            print_account(account, console)

    command.show(write, 110)
    return 0 if passed else 1


def _options(given: dict[str, str], work: Record) -> RunOptions:
    """The options that were typed, and those of the record where nothing was."""
    settings = work.settings
    given.setdefault("SIM", settings.simulator)
    for name in ("latency", "jitter", "beats", "x_seed"):
        value = getattr(settings, name)
        if value is not None:
            given.setdefault(name.upper(), str(value))
    return options.take_run_options(given)


def _again(work: Record, run: RunOptions) -> diagnose.Ran:
    """The run on the RTL and on the reference machine."""
    seed = work.settings.seed
    timing = (run.latency, run.jitter, seed)
    job = Job(work.words, work.images, work.limit, *timing, trace=True, beats=run.beats)
    folder = work.folder if run.waves else None
    listing = numbered(work.listing, work.words)
    result = run_jobs(work.hardware, [job], run, folder, listing, wave_markers.first_wrong(work.folder))
    if run.waves:
        waves.write_save_file(work.folder)
    machine = Machine(work.hardware, work.images.copy(), work.limit)
    reference = machine.run(work.words)
    return diagnose.Ran(work, result.jobs[0], machine.images, reference, run.sim, seed, Hints())


def _print(work: Record, got: JobResult, verdict: Verdict, console: Console) -> None:
    """What the run was, and whether it is the recorded one."""
    settings = work.settings
    console.print(f"replay of: {settings.command}", markup=False, soft_wrap=True)
    console.print(f"{settings.problem}, kernel {settings.kernel}", markup=False, soft_wrap=True)
    trace = np.load(work.folder / "trace.npy")
    then = f"{len(trace)} instructions, the last in cycle {int(trace[-1, 2]) if len(trace) else 0}"
    now = got.trace if got.trace is not None else trace[:0]
    console.print(f"{got.cycles} cycles, {got.instructions} instructions; recorded: {then}")
    dumps = work.memories("dumps")
    other = [name for name in MEMORIES if not np.array_equal(getattr(dumps, name), getattr(got.images, name))]
    console.print(f"memories as recorded: {'no, not ' + ', '.join(other) if other else 'yes'}")
    console.print(f"instructions and cycles as recorded: {'yes' if np.array_equal(now, trace) else 'no'}")
    print_verdict(verdict, console)


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
