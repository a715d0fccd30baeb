"""Random shapes and data on the RTL, bit for bit as the reference machine has them.

The cases are those of tests/random_cases.py; tests/workloads/test_random_cases.py holds their results to the
error bound. More of them: PLENA_FUZZ=1000 in the environment.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from plena_ref.machine.hardware import Hardware
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case
from plena_ref.workloads.registry import MACHINES as NAMED
from plena_ref.workloads.registry import command
from tb.bench import case_runner, harness
from tb.bench.harness import Job
from tb.engine import simulate
from tb.system.equivalence import repetitions
from tb.system.random_cases import cases

#: Two models serve all cases: HLEN at and above BLEN.
MACHINES = [
    Hardware(8, 4, 4, vram_elems=1 << 18, hbm_bytes=1 << 20),
    NAMED["packed"],
]


def draw(hw: Hardware, count: int) -> list[Case]:
    """The first `count` cases of the strategy for one machine, the same in every run."""
    drawn: list[Case] = []

    @settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases([hw], row_tiles=200))
    def collect(case: Case) -> None:
        drawn.append(case)

    collect()
    return drawn


@pytest.mark.parametrize("hw", MACHINES, ids=lambda hw: f"{hw.mlen}-{hw.blen}-{hw.hlen}")
def test_random_cases_are_bit_exact(hw: Hardware) -> None:
    """All in one simulation, each with its own memory latency and back-pressure."""
    simulate.require(simulate.default_simulator())
    rng = np.random.default_rng(hw.mlen)
    drawn = draw(hw, repetitions(24, further=6))
    workloads = [build(case) for case in drawn]
    timing = [(int(rng.choice([1, 40, 100])), int(rng.choice([0, 60]))) for _ in drawn]
    jobs = [
        Job(work.words, work.images, work.limit, latency=latency, jitter=jitter, seed=work.case.seed)
        for work, (latency, jitter) in zip(workloads, timing, strict=True)
    ]
    results = harness.run(hw, jobs).jobs
    failures = []
    for workload, memory, got in zip(workloads, timing, results, strict=True):
        outcome = case_runner.judge(workload, got)
        found = [*outcome.reasons, *outcome.verdict.differences]
        if outcome.verdict.out_of_bounds_writes:
            found.append(f"{outcome.verdict.out_of_bounds_writes} words written outside the tensors")
        if found:
            again = " ".join([command(workload.case), f"LATENCY={memory[0]}", f"JITTER={memory[1]}"])
            failures.append(f"{'; '.join(found)}\n    {again}")
    assert not failures, f"{len(failures)} of {len(drawn)} cases differ\n" + "\n".join(failures)
