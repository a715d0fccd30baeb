"""Random shapes and data on the reference machine: right within the error bound, nothing else written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.machine.regions import region_mask
from plena_ref.verdict import error_bound
from plena_ref.verdict.accuracy import result_values
from plena_ref.verdict.tolerance import STRICT
from plena_ref.workloads.attention import Attention
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case
from plena_ref.workloads.input_data import DATA
from plena_ref.workloads.registry import CASES, command
from tb.bench import options
from tb.system.random_cases import cases

#: (MLEN, BLEN, HLEN), memories large enough for every case and small enough to be copied often.
MACHINES = [
    Hardware(mlen, blen, hlen, vram_elems=1 << (18 if mlen < 64 else 20), hbm_bytes=1 << 20)
    for mlen, blen, hlen in (
        (8, 4, 4),
        (8, 8, 8),
        (16, 4, 8),
        (16, 16, 8),
        (16, 8, 8),
        (32, 8, 32),
        (64, 16, 16),
    )
]
EXAMPLES = 200

random_cases = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def failure(case: Case) -> str | None:
    """What is wrong with the case's result on the reference machine, or None."""
    workload = build(case)
    machine = Machine(case.hardware, workload.images.copy(), workload.limit)
    report = machine.run(workload.words)
    if (report.status, report.cause) != ("stopped", None):
        return f"ended with {report.status} {report.cause} at pc {report.pc}"
    for memory in ("vram", "msram", "fpmem", "intmem", "hbm"):
        written = getattr(machine.written, memory)
        if (written & ~region_mask([*workload.outputs, *workload.scratch], memory, len(written))).any():
            return f"{memory}: written outside the declared regions"
        if (region_mask(workload.outputs, memory, len(written)) & ~written).any():
            return f"{memory}: a part of the result was never written"
    got = result_values(workload, machine.images.vram)
    if not np.isfinite(got).all():
        return "the result is not finite"
    if case.data == "normal":
        data = case.problem.roundings(case).problem
        tiles = -(-case.problem.kv_seq // case.hardware.mlen)
        problem = (data.q, data.k, data.v, data.causal, tiles, data.window, data.sinks)
        lower, upper = (bound.transpose(0, 2, 1, 3) for bound in error_bound.interval(*problem))
    else:
        lower, upper = workload.interval
    outside = int(((got < lower) | (got > upper)).sum())
    return f"{outside} of {got.size} elements outside the error bound" if outside else None


@random_cases
@given(cases(MACHINES, row_tiles=300))
def test_random_cases_are_right(case: Case) -> None:
    found = failure(case)
    assert found is None, f"{found}\n    {command(case)}"


def test_a_wrong_result_is_found_and_named(monkeypatch) -> None:
    """The golden of the next seed stands for a kernel that computes something else."""
    case = replace(CASES["mha_ragged"], data="one_hot")
    assert failure(case) is None
    wrong = build(replace(case, seed=1))
    monkeypatch.setattr(error_bound, "interval", lambda *_args: (wrong.golden.transpose(0, 2, 1, 3),) * 2)
    assert "elements outside the error bound" in failure(case)


@settings(max_examples=100, derandomize=True, database=None)
@given(cases(MACHINES, row_tiles=300))
def test_the_command_of_a_case_gives_the_case(case: Case) -> None:
    make, sim, *arguments = command(case).split()
    assert (make, sim) == ("make", "sim")
    given_options = options.parse(arguments)
    again = CASES[given_options.pop("TEST")].override(**given_options)
    alike = {"name": "random", "tolerance": STRICT, "simulators": case.simulators}
    assert replace(again, **alike) == replace(case, tolerance=STRICT)


def test_the_strategy_reaches_everything() -> None:
    """Every kernel, machine, kind of data and option is among the cases that the tests run."""
    drawn: list[Case] = []

    @random_cases
    @given(cases(MACHINES, row_tiles=300))
    def collect(case: Case) -> None:
        drawn.append(case)

    collect()
    assert len(drawn) == EXAMPLES
    assert {case.kernel for case in drawn} == set(Attention.kernels)
    assert {case.data for case in drawn} == set(DATA)
    assert {case.hardware for case in drawn} == set(MACHINES)
    assert {case.problem.batch for case in drawn} == set(range(1, 9))
    for name in ("causal", "sinks", "packed_output"):
        assert {getattr(case.problem, name) for case in drawn} == {False, True}
    assert {case.problem.mask_value for case in drawn} == {-np.inf, -6e4}
    assert any(case.problem.window == 1 for case in drawn) and any(case.problem.seq == 1 for case in drawn)
    assert max(case.problem.seq for case in drawn) == 256
    for above in (False, True):
        assert any((case.problem.head_dim > case.hardware.mlen) == above for case in drawn)
    padded = [case for case in drawn if case.problem.head_dim % case.hardware.blen]
    assert {case.kernel for case in padded} >= set(Attention.kernels) - {"packed_attention"}
    assert any(case.problem.head_dim < case.hardware.blen for case in padded)
