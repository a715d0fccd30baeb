"""Jobs run where and how the options of a command say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from plena_ref.machine.hardware import Hardware
from tb.bench import harness, wave_window
from tb.bench.harness import Job, RunResult
from tb.bench.options import RunOptions


def run_jobs(
    hw: Hardware,
    jobs: Sequence[Job],
    options: RunOptions,
    folder: Path | None,
    listing: str = "",
    wrong: int | None = None,
) -> RunResult:
    """Run jobs in one simulation.

    Args:
        hw: machine shape.
        jobs: programs; the latency and the pauses of the memory are theirs.
        options: simulator, waves, seed of unknown values and time limit.
        folder: where the run's files lie; None makes a folder that is removed afterwards.
        listing: of the first program, numbered, for the names of stages; empty if it has none.
        wrong: the cycle of its first wrong instruction, where waves begin or end that are asked for so.

    Raises:
        WavePlaceError: the waves of a part are wanted that the first program does not have.
        SimulatorMissing, SimulationError: see tb/engine/simulate.py.
    """
    seed, limit = options.x_seed, options.sim_timeout
    places = options.waves_from, options.waves_to
    window = wave_window.resolve(*places, listing, len(jobs[0].words), wrong)
    jobs = [replace(job, trace=job.trace or options.waves) for job in jobs]
    ran = harness.run(hw, jobs, options.sim, options.waves, folder, x_seed=seed, timeout=limit, window=window)
    if ran.jobs[0].trace is not None:
        window.check(ran.jobs[0].trace, ran.jobs[0].cycles)
    return ran
