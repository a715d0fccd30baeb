"""Thousands of keys on the RTL: bit-exact, and right although a running sum would stand still."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from plena_ref.machine.hardware import Hardware
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.registry import CASES
from tb.bench import case_runner, harness
from tb.bench.harness import Job

#: 512 key tiles of each.
MACHINES = {4096: CASES["decoder_layer_8x4"].hardware, 8192: CASES["mha_ragged"].hardware}


def passed(hardware: Hardware, cases: Sequence[Case]) -> None:
    workloads = [build(case) for case in cases]
    jobs = [Job(work.words, work.images, work.limit) for work in workloads]
    for work, got in zip(workloads, harness.run(hardware, jobs).jobs, strict=True):
        outcome = case_runner.judge(work, got, "verilator")
        assert outcome.passed, (work.case.kernel, outcome.reasons, outcome.verdict.reasons)


@pytest.mark.parametrize("keys", MACHINES)
def test_thousands_of_keys(keys: int) -> None:
    hardware = MACHINES[keys]
    passed(
        hardware,
        [
            make_case("long", hardware, kernel, seq=1, kv_seq=keys, heads=1, head_dim=8, data=data)
            for kernel in ("attention", "decode_attention")
            for data in ("normal", "equal_keys")
        ],
    )
