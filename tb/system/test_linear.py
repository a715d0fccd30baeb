"""The linear layer on the RTL: right, and the array busy nearly all the time while the weights stream."""

from __future__ import annotations

import pytest

from plena_ref.workloads.case import Case
from plena_ref.workloads.linear import Linear
from plena_ref.workloads.registry import CASES
from tb.bench import utilisation
from tb.bench.case_runner import run_case
from tb.bench.options import RunOptions
from tb.engine import simulate

#: The array's share of peak from start to stop. The issue of the project asks for it from first to last M_MM
#: only; the whole run has the wait for the first weights and the drain besides.
SHARE = 0.95

LAYERS = [CASES["linear"], CASES["linear_16x4"].override(out_features=64)]


@pytest.mark.not_nightly("speed")
@pytest.mark.parametrize("case", LAYERS, ids=lambda case: case.name)
def test_the_array_stays_busy(case: Case) -> None:
    """Memory latency 100; useful multiply-accumulates over all that the array could do in the run."""
    outcome = run_case(case, RunOptions("verilator", latency=100))
    assert outcome.passed, (outcome.reasons, outcome.verdict.reasons)
    totals, hw, problem = outcome.got.counters.totals, case.hardware, case.problem
    assert isinstance(problem, Linear)
    assert totals["macs"] == problem.seq * problem.in_features * problem.out_features
    assert totals["read_beats"] >= problem.in_features * problem.out_features * 9 / 8 / 64
    share = utilisation.summary(outcome.got.counters, outcome.got.cycles, hw)["array_utilisation"]
    assert isinstance(share, float) and share >= SHARE


def test_the_ring_under_slow_memory() -> None:
    """Ragged rows and features, a ring hardly larger than a panel, and a memory that pauses."""
    case = CASES["linear_16x4"].override(batch=2, seq=7, in_features=600, out_features=44)
    outcome = run_case(case, RunOptions(simulate.default_simulator(), latency=300, jitter=90))
    assert outcome.passed, (outcome.reasons, outcome.verdict.reasons)
