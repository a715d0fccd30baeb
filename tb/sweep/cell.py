"""The verdict on a cell that has run: bits, stray writes, ending, and error.

There is no fixed tolerance: what the error of a cell may be follows from the roundings of its own data
(tb/sweep/error_verdict.py). The first wrong stage of a layer is named by the verdict on its stages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from plena_ref.analysis.error_prediction import predict
from plena_ref.analysis.size_limit import size_limit
from plena_ref.verdict.accuracy import result_values
from plena_ref.workloads.attention import Attention
from plena_ref.workloads.base import Workload
from tb.bench import case_runner, harness
from tb.bench.phases import phase
from tb.sweep.error_map import error_map
from tb.sweep.error_verdict import LAYER_FACTOR, PREDICTION_FACTOR, judge_errors


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
        phases: seconds by what they were spent on; what cells of a simulation share is divided by them.
        error_map: picture of the error, as tb.sweep.error_map draws it.
        page: of a cell that failed the page of its run, as tb.sweep.cell_page packs it.
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
    phases: Mapping[str, float] = field(default_factory=dict)
    error_map: str = ""
    page: str = ""


def judge(workload: Workload, got: harness.JobResult) -> CellResult:
    """Compare what the RTL left of a cell with the reference machine, the golden and the prediction."""
    outcome = case_runner.judge(workload, got, "verilator")
    verdict = outcome.verdict
    case = workload.case
    with phase("prediction"):
        roundings = case.problem.roundings(case)
        known = workload.predicted
        prediction = predict(roundings, None if known is None else known**2)
    values = result_values(workload, got.images.vram)
    error = np.abs(values - roundings.exact)
    problem = case.problem
    limit, factor = math.inf, LAYER_FACTOR
    if isinstance(problem, Attention):
        limit, factor = size_limit(problem.sizes, case.sigma), PREDICTION_FACTOR
    errors = judge_errors(values, roundings.exact, prediction, limit, factor)
    reasons = [*outcome.reasons, *(f"not bit-exact: {difference}" for difference in verdict.differences)]
    if verdict.out_of_bounds_writes:
        reasons.append(f"{verdict.out_of_bounds_writes} words written outside: {verdict.first_out_of_bounds}")
    reasons += [*verdict.departures, *errors.reasons]
    return CellResult(
        name=workload.case.name,
        passed=not reasons,
        reasons=tuple(reasons),
        bit_exact=verdict.bit_exact,
        match_percent=100 * float((error <= 0.02 + 0.02 * np.abs(roundings.exact)).mean()),
        max_error=errors.maximum,
        predicted=prediction.maximum,
        expected=prediction.expected,
        cycles=got.cycles,
        instructions=got.instructions,
        seconds=round(got.seconds, 4),
        error_map=error_map(values, roundings.exact),
    )
