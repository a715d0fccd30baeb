"""Run programs on the RTL: stage memory images, simulate, read everything back.

Each :class:`Job` is one program on one set of images; one simulation runs any number of them in a row. The
files that a job exchanges with ``tb/bench/plena_tb.sv`` are described in docs/bench.md.
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from plena_ref.machine.hardware import Hardware
from tb.bench import job_runner, trace_progress
from tb.bench.job import DEFAULT_LATENCY, Job, JobResult, Stall
from tb.bench.job_files import PROGRAM_BYTES, read_job, write_job
from tb.bench.wave_window import WHOLE, WaveWindow
from tb.engine import paths, scratch, simulate, steps

__all__ = ("DEFAULT_LATENCY", "Job", "JobResult", "RunResult", "Stall", "build", "run", "run_model")

#: Sources that are compiled into every system bench.
DATA_FILES = ("rtl/**/*.sv", "rtl/**/*.svh", "tb/bench/*.sv")

_PUBLIC_SIGNALS = [f"plena_tb.{name}" for name in ("job", "go", "running", "done")]


@dataclass(frozen=True)
class RunResult:
    """A simulation: its jobs' results, build time (0.0 from the cache) and wall-clock time of the process."""

    jobs: list[JobResult]
    build_seconds: float
    run_seconds: float
    wave_file: Path | None


# cocotb lets pytest rewrite the assert statements of every module, which compiles them anew in each run; the
# job runner has none.
NO_REWRITING = {"COCOTB_REWRITE_ASSERTION_FILES": ""}


def _bench_sources(root: Path) -> list[str]:
    """The SystemVerilog of the bench around the core, relative to a tree."""
    return sorted(str(path.relative_to(root)) for path in (root / "tb" / "bench").glob("*.sv"))


def build(
    hw: Hardware,
    simulator: str | None = None,
    waves: bool = False,
    root: Path = paths.REPO,
    coverage: bool = False,
    public: Sequence[str] = (),
    x_seed: int | None = None,
    compile: bool = True,
) -> simulate.Model:
    """Return the compiled system bench for one machine shape; arguments as in :func:`run`.

    ``coverage`` counts executed lines; ``public`` are more signals within reach of Python;
    ``compile`` False only looks into the cache.
    """
    parameters = {**hw.rtl_parameters(), "MEMORY_BYTES": hw.hbm_bytes + PROGRAM_BYTES}
    return simulate.build(
        "plena_tb",
        paths.rtl_sources(root) + _bench_sources(root),
        parameters=parameters,
        simulator=simulator,
        defines={"PLENA_WAVES": 1} if waves else None,
        public=[*_PUBLIC_SIGNALS, *public],
        timing=True,
        waves=waves,
        coverage=coverage,
        x_seed=x_seed,
        root=root,
        compile=compile,
    )


def run(
    hw: Hardware,
    jobs: Sequence[Job],
    simulator: str | None = None,
    waves: bool = False,
    folder: Path | None = None,
    root: Path = paths.REPO,
    x_seed: int | None = None,
    timeout: float | None = None,
    window: WaveWindow = WHOLE,
) -> RunResult:
    """Run jobs one after another in one simulation.

    Args:
        hw: machine shape.
        jobs: programs; the first must bring its images.
        simulator: a registered simulator; None takes the environment variable SIM, or Verilator.
        waves: write ``dump.fst`` into ``folder``.
        folder: where the run's files lie; None makes a folder that is removed afterwards.
        root: source tree (a mutated copy, for instance).
        x_seed: draw unknown values from this seed, see :func:`tb.engine.simulate.build`.
        timeout: wall-clock seconds of the simulation, see :func:`tb.engine.simulate.run`.
        window: the part of the first program that is in the waves.

    Raises:
        SimulatorMissing, SimulationError: see tb/engine/simulate.py.
        ValueError: a job does not fit the machine.
    """
    if not jobs or jobs[0].images is None:
        raise ValueError("the first job must bring its memory images")
    model = build(hw, simulator, waves, root, x_seed=x_seed)
    if folder is not None:
        return run_model(folder, hw, jobs, model, timeout, window)
    with scratch.folder(paths.BUILD / "runs", "harness") as made:
        try:
            return run_model(made, hw, jobs, model, timeout, window)
        except simulate.SimulationError as error:
            # The message holds the end of the log, which goes with the folder.
            raise simulate.SimulationError(str(error).replace(f" (log: {made}/simulation.log)", "")) from None


def fill_of(job: Job, before: int) -> int:
    """The byte that HBM is relative to once a job has loaded its images."""
    return before if job.images is None or job.keep_hbm else int(job.images.hbm[-1])


def run_model(
    folder: Path,
    hw: Hardware,
    jobs: Sequence[Job],
    model: simulate.Model,
    timeout: float | None = None,
    window: WaveWindow = WHOLE,
) -> RunResult:
    """Run jobs on a model that :func:`build` returned, in a folder that stays."""
    fill = 0
    for number, job in enumerate(jobs):
        path = folder / f"job{number}"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        fill = fill_of(job, fill)
        write_job(path, hw, job, fill)
    with steps.step("simulation", look=functools.partial(trace_progress.look, folder, jobs)):
        run_seconds = simulate.run(
            model,
            "tb.bench.job_runner",
            folder=folder,
            environment={job_runner.JOBS_VARIABLE: str(len(jobs)), **NO_REWRITING},
            plusargs=["+waves=1", *window.plusargs()] if model.waves else [],
            timeout=timeout,
        )
    seconds = json.loads((folder / job_runner.SECONDS_FILE).read_text())
    results: list[JobResult] = []
    for number, job in enumerate(jobs):
        fill = fill_of(job, fill)
        results.append(read_job(folder / f"job{number}", hw, job, fill, seconds[number]))
        shutil.rmtree(folder / f"job{number}")
    wave_file = folder / "dump.fst" if model.waves else None
    return RunResult(results, model.build_seconds, run_seconds, wave_file)
