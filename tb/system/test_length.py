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

_SMALL, _LARGER = CASES["decoder_layer_8x4"].hardware, CASES["mha_ragged"].hardware
_LONG = pytest.mark.not_nightly("150,000 cycles and more; the same programs with 129 key tiles are run")
#: 129 key tiles are two levels of sums already; past 256, a running sum in bf16 stands still.
LENGTHS = [
    pytest.param(_SMALL, 1032, id="1032"),
    pytest.param(_SMALL, 4096, id="4096", marks=_LONG),
    pytest.param(_LARGER, 8192, id="8192", marks=_LONG),
]


def passed(hardware: Hardware, cases: Sequence[Case]) -> None:
    workloads = [build(case) for case in cases]
    jobs = [Job(work.words, work.images, work.limit) for work in workloads]
    for work, got in zip(workloads, harness.run(hardware, jobs).jobs, strict=True):
        outcome = case_runner.judge(work, got, "verilator")
        assert outcome.passed, (work.case.kernel, outcome.reasons, outcome.verdict.reasons)


@pytest.mark.parametrize(("hardware", "keys"), LENGTHS)
def test_thousands_of_keys(hardware: Hardware, keys: int) -> None:
    passed(
        hardware,
        [
            make_case("long", hardware, kernel, seq=1, kv_seq=keys, heads=1, head_dim=8, data=data)
            for kernel in ("attention", "decode_attention")
            for data in ("normal", "equal_keys")
        ],
    )
