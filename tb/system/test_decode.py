"""The decode kernel on the RTL: its choice between products of one row and of BLEN rows is the faster one."""

from __future__ import annotations

import pytest

from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES
from tb.bench import case_runner, harness
from tb.bench.harness import Job
from tb.engine import simulate

pytestmark = pytest.mark.not_nightly("speed")

KERNELS = ("decode_attention", "decode_attention_one_row", "decode_attention_blocks", "attention")
#: Query heads, heads of K and V.
HEADS = [(1, 1), (2, 2), (2, 1), (8, 2)]


@pytest.fixture(scope="module")
def cycles() -> dict[tuple[int, int], dict[str, int]]:
    """Cycles by heads and kernel over three key tiles and a partial one; every run passes."""
    simulate.require("verilator")
    base = CASES["decode_batch"].override(batch=2, kv_seq=200)
    keys = [(heads, kernel) for heads in HEADS for kernel in KERNELS]
    workloads = [build(base.override(heads=h, kv_heads=kv, kernel=kernel)) for (h, kv), kernel in keys]
    jobs = [Job(workload.words, workload.images, workload.limit) for workload in workloads]
    counts: dict[tuple[int, int], dict[str, int]] = {heads: {} for heads in HEADS}
    results = harness.run(base.hardware, jobs, "verilator").jobs
    for (heads, kernel), workload, got in zip(keys, workloads, results, strict=True):
        outcome = case_runner.judge(workload, got, "verilator")
        assert outcome.passed, (heads, kernel, outcome.reasons, outcome.verdict.reasons)
        counts[heads][kernel] = got.cycles
    return counts


@pytest.mark.parametrize("heads", HEADS, ids=str)
def test_the_choice_is_the_faster_one(
    heads: tuple[int, int], cycles: dict[tuple[int, int], dict[str, int]]
) -> None:
    taken, one_row, blocks, attention = (cycles[heads][kernel] for kernel in KERNELS)
    assert taken == (one_row if heads[0] == heads[1] else blocks)
    assert taken == min(one_row, blocks)
    assert taken < attention
