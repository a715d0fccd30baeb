"""Run cells of one machine in one simulation, and judge each: bits, stray writes, ending, and error.

There is no fixed tolerance: what the error of a cell may be follows from the roundings of its own data
(tb/sweep/error_verdict.py).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from plena_ref.analysis.error_prediction import predict
from plena_ref.analysis.size_limit import size_limit
from plena_ref.verdict.accuracy import result_values
from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from tb.bench import case_runner, harness
from tb.bench.harness import Job
from tb.engine import simulate
from tb.sweep.error_verdict import judge_errors
from tb.sweep.matrix import Cell

#: The HBM images of one simulation's cells, before the run, hold at most so many bytes.
IMAGE_BYTES = 256 << 20


@dataclass(frozen=True)
class CellResult:
    """What became of a cell; every attribute is a plain value of JSON.

    Attributes:
        name: of the cell.
        passed: no reason to fail.
        reasons: what went wrong.
        error: why the cell could not be run at all; it is run again next time.
        bit_exact: every memory and register equals the reference machine's.
        match_percent: elements within 0.02 + 0.02*|golden| of the float64 golden.
        max_error: largest absolute error.
        predicted: what the model of the roundings gives for it.
        expected: what the closed form gives for it.
        cycles, instructions: of the RTL.
        seconds: wall clock of the simulation, without build and staging.
        reference_seconds: wall clock of the reference machine and the comparison.
    """

    name: str
    passed: bool = False
    reasons: tuple[str, ...] = ()
    error: str | None = None
    bit_exact: bool = False
    match_percent: float = 0.0
    max_error: float = 0.0
    predicted: float = 0.0
    expected: float = 0.0
    cycles: int = 0
    instructions: int = 0
    seconds: float = 0.0
    reference_seconds: float = 0.0


def run_cells(cells: Sequence[Cell]) -> list[CellResult]:
    """Run cells of one machine, as many in a simulation as fit; one that breaks is repeated cell by cell.

    Raises:
        SimulatorMissing: Verilator cannot be used.
        ValueError: the cells belong to several machines.
    """
    machines = {cell.case.hardware for cell in cells}
    if len(machines) != 1:
        raise ValueError(f"cells of {len(machines)} machines in one simulation")
    most = max(1, IMAGE_BYTES // cells[0].case.hardware.hbm_bytes)
    parts = [cells[first : first + most] for first in range(0, len(cells), most)]
    return [result for part in parts for result in _simulate(part)]


def _simulate(cells: Sequence[Cell]) -> list[CellResult]:
    """Run cells of one machine in one simulation; where it breaks, one by one."""
    workloads = [build(cell.case) for cell in cells]
    jobs = [Job(workload.words, workload.images, workload.limit) for workload in workloads]
    try:
        run = harness.run(cells[0].case.hardware, jobs, "verilator")
    except simulate.SimulatorMissing:
        raise
    except simulate.SimulationError as error:
        if len(cells) > 1:
            return [result for cell in cells for result in _simulate([cell])]
        return [CellResult(cells[0].name, error=str(error))]
    return [judge(workload, job) for workload, job in zip(workloads, run.jobs, strict=True)]


def judge(workload: Workload, got: harness.JobResult) -> CellResult:
    """Compare what the RTL left of a cell with the reference machine, the golden and the prediction."""
    started = time.perf_counter()
    outcome = case_runner.judge(workload, got, "verilator")
    reference_seconds = time.perf_counter() - started
    verdict = outcome.verdict
    rows = sum(row.rows for row in verdict.batches)
    case = workload.case
    roundings = case.problem.roundings(case)
    prediction = predict(roundings)
    values = result_values(workload, got.images.vram)
    limit = size_limit(case.problem.sizes, case.sigma)
    errors = judge_errors(values, roundings.exact, prediction, limit)
    reasons = [*outcome.reasons, *(f"not bit-exact: {difference}" for difference in verdict.differences)]
    if verdict.out_of_bounds_writes:
        reasons.append(f"{verdict.out_of_bounds_writes} words written outside: {verdict.first_out_of_bounds}")
    reasons += errors.reasons
    return CellResult(
        name=workload.case.name,
        passed=not reasons,
        reasons=tuple(reasons),
        bit_exact=verdict.bit_exact,
        match_percent=sum(row.match_percent * row.rows for row in verdict.batches) / rows,
        max_error=errors.maximum,
        predicted=prediction.maximum,
        expected=prediction.expected,
        cycles=got.cycles,
        instructions=got.instructions,
        seconds=round(got.seconds, 4),
        reference_seconds=round(reference_seconds, 4),
    )
