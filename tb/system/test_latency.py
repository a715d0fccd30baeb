"""The same result whatever the memory's timing: attention at several latencies, with random back-pressure."""

from __future__ import annotations

import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.registry import CASES
from tb.bench.case_runner import judge
from tb.bench.harness import Job, run
from tb.system.equivalence import DIRECTED, bounded, check, random_images

#: The machine of the attention programs in this folder that need no default sizes.
ATTENTION = CASES["gqa_packed_wide"].hardware


@pytest.mark.parametrize(
    "case",
    [
        make_case(
            "ragged", hardware=ATTENTION, batch=3, seq=20, heads=1, head_dim=24, causal=True, sigma=1.0
        ),
        pytest.param(CASES["mha_batch2"], marks=pytest.mark.not_nightly("a large machine")),
    ],
    ids=lambda case: case.name,
)
def test_latency_and_back_pressure_change_nothing(case: Case) -> None:
    """Latency 1, 40 and 200, and five seeds of back-pressure: PASS each time, only the cycles differ."""
    workload = build(case)
    timings = [(1, 0, 1), (40, 0, 1), (200, 0, 1)] + [(40, 120, seed) for seed in range(1, 6)]
    jobs = [
        Job(workload.words, workload.images, workload.limit, latency, jitter, seed, timeout=1_000_000)
        for latency, jitter, seed in timings
    ]
    results = run(case.hardware, jobs).jobs
    for timing, result in zip(timings, results, strict=True):
        outcome = judge(workload, result)
        assert outcome.passed, (timing, outcome.reasons, outcome.verdict.reasons)
    cycles = [result.cycles for result in results]
    assert cycles[0] < cycles[1] < cycles[2]
    assert len(set(cycles[3:])) == 5, "every seed stalls differently"


def test_a_store_and_a_prefetch_of_the_same_bytes() -> None:
    """H_STORE_V followed at once by H_PREFETCH_V and H_PREFETCH_M of the same bytes: the stored bytes."""
    words = assemble(
        """
        S_ADDI_INT gp1, gp0, 512
        C_SET_SCALE_REG gp1
        S_ADDI_INT gp2, gp0, 256
        S_ADDI_INT gp3, gp0, 1024
        H_STORE_V gp2, gp0, a0, 0, 0
        H_PREFETCH_V gp3, gp0, a0, 0, 0
        H_STORE_V gp1, gp0, a0, 0, 0
        H_PREFETCH_M gp2, gp0, a0, 0, 0
        H_STORE_V gp3, gp0, a0, 0, 0
        """
    )
    images = random_images(DIRECTED, 21, special_share=0.0)
    jobs = {
        f"latency {latency}, jitter {jitter}": bounded(words, images, latency=latency, jitter=jitter)
        for latency in (1, 40, 200)
        for jitter in (0, 150)
    }
    for pair in check(DIRECTED, jobs).values():
        assert (pair.got.images.vram[1024:1088] != images.vram[1024:1088]).any()
