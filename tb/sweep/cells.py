"""Run cells of one machine, as many in a simulation as fit. What breaks costs its own cell, no other."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from tb.bench import harness, phases
from tb.bench.harness import Job, RunResult
from tb.bench.phases import phase
from tb.engine import simulate
from tb.sweep import cell_page, litter
from tb.sweep.cell import CellResult, judge
from tb.sweep.matrix import Cell

#: The HBM images of one simulation's cells, before the run, hold at most so many bytes.
IMAGE_BYTES = 512 << 20


def run_cells(cells: Sequence[Cell]) -> list[CellResult]:
    """Run and judge cells of one machine; a cell that cannot be run says why in its `error`.

    Raises:
        ValueError: the cells belong to several machines.
    """
    machines = {cell.case.hardware for cell in cells}
    if len(machines) != 1:
        raise ValueError(f"cells of {len(machines)} machines in one simulation")
    (hardware,) = machines
    phases.take()
    try:
        with phase("build"):
            harness.build(hardware, "verilator")
    except (simulate.SimulationError, OSError) as error:
        return [CellResult(cell.name, error=_text(error)) for cell in cells]
    before = _shares(phases.take(), len(cells))
    most = max(1, IMAGE_BYTES // hardware.hbm_bytes)
    parts = [cells[first : first + most] for first in range(0, len(cells), most)]
    return [_add(result, before) for part in parts for result in _simulate(part)]


def _simulate(cells: Sequence[Cell]) -> list[CellResult]:
    """Run cells in one simulation; where it breaks, one by one."""
    results: dict[str, CellResult] = {}
    workloads: list[tuple[Cell, Workload, dict[str, float]]] = []
    for cell in cells:
        try:
            with phase("program"):
                workload = build(cell.case)
            workloads.append((cell, workload, phases.take()))
        except Exception as error:
            results[cell.name] = CellResult(cell.name, error=_text(error))
    if workloads:
        try:
            run = _run([workload for _, workload, _ in workloads])
        except Exception as error:
            phases.take()
            if len(cells) > 1:
                return [result for cell in cells for result in _simulate([cell])]
            return [CellResult(cells[0].name, error=_text(error))]
        simulated = sum(job.seconds for job in run.jobs)
        files = phases.take()["files"] - run.run_seconds
        shared = _shares({"files": files, "start": run.run_seconds - simulated}, len(workloads))
        for (cell, workload, program), job in zip(workloads, run.jobs, strict=True):
            results[cell.name] = _add(
                _judge(cell, workload, job), program, shared, {"simulation": job.seconds}
            )
    return [results[cell.name] for cell in cells]


def _run(workloads: Sequence[Workload]) -> RunResult:
    """One simulation, in a folder that names this process."""
    jobs = [Job(workload.words, workload.images, workload.limit) for workload in workloads]
    with _folder() as folder, phase("files"):
        return harness.run(workloads[0].case.hardware, jobs, "verilator", folder=folder)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    parent = simulate.BUILD / "runs"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=litter.prefix(), dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _judge(cell: Cell, workload: Workload, job: harness.JobResult) -> CellResult:
    try:
        result = judge(workload, job)
        if not result.passed:
            with phase("page"):
                result = replace(result, page=cell_page.make(workload, job, result.reasons))
        return _add(result, phases.take())
    except Exception as error:
        phases.take()
        return CellResult(cell.name, error=_text(error))


def _add(result: CellResult, *more: dict[str, float]) -> CellResult:
    """The result with these phases added to its own."""
    seconds = dict(result.phases)
    for shares in more:
        for name, value in shares.items():
            seconds[name] = round(seconds.get(name, 0.0) + value, 4)
    return replace(result, phases=seconds)


def _shares(seconds: dict[str, float], cells: int) -> dict[str, float]:
    return {name: value / cells for name, value in seconds.items()}


def _text(error: BaseException) -> str:
    """What a person needs of an exception: its message, with its type where that is no error of ours."""
    text = str(error).strip()[-2000:]
    return text if isinstance(error, simulate.SimulationError) else f"{type(error).__name__}: {text}"
