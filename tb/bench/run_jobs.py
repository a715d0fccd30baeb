"""Jobs run where and how the options of a command say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plena_ref.machine.hardware import Hardware
from tb.bench import harness
from tb.bench.harness import Job, RunResult
from tb.bench.options import RunOptions


def run_jobs(hw: Hardware, jobs: Sequence[Job], options: RunOptions, folder: Path | None) -> RunResult:
    """Run jobs in one simulation.

    Args:
        hw: machine shape.
        jobs: programs; the latency and the pauses of the memory are theirs.
        options: simulator, waves, seed of unknown values and time limit.
        folder: where the run's files lie; None makes a folder that is removed afterwards.

    Raises:
        SimulatorMissing, SimulationError: see tb/engine/simulate.py.
    """
    seed, limit = options.x_seed, options.sim_timeout
    return harness.run(hw, jobs, options.sim, options.waves, folder, x_seed=seed, timeout=limit)
