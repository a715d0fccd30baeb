"""Attention to thousands of keys: no sum of the machine stands still, and its error is the predicted one."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.analysis.error_prediction import predict
from plena_ref.kernels.attention import tile_sums
from plena_ref.kernels.attention.runs import RUN, run_length
from plena_ref.machine.hardware import Hardware
from plena_ref.verdict.accuracy import result_values
from plena_ref.verdict.compare import compare
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from tests.kernels.checking import check, hardware, rejected, run

#: Four thousand keys are 512 tiles of it.
SMALL = hardware(8, 4)
PACKED = Hardware(16, 4, 8, vram_elems=1 << 18, hbm_bytes=1 << 20)
DATA = ("normal", "equal_keys")


def long_case(machine: Hardware, kernel: str, keys: int, data: str, **values: object) -> Case:
    sizes = {"seq": 1, "heads": 1, "head_dim": machine.hlen, **values}
    return make_case("long", machine, kernel, kv_seq=keys, data=data, **sizes)


def check_error(case: Case) -> None:
    """Right, and the largest error within a factor of two of the predicted one."""
    workload = build(case)
    machine = run(workload)
    verdict = compare(workload, machine.images, machine.images, machine.registers, machine.registers)
    assert verdict.passed, verdict.reasons
    error = np.abs(result_values(workload, machine.images.vram) - workload.golden).max()
    assert 0.5 < error / predict(case.problem.roundings(case)).maximum < 2.0


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("kernel", ["attention", "decode_attention", "decode_attention_blocks"])
def test_four_thousand_keys(kernel: str, data: str) -> None:
    check_error(long_case(SMALL, kernel, 4096, data))


@pytest.mark.parametrize("data", DATA)
def test_runs_of_the_packed_form_join_a_head_at_a_time(data: str) -> None:
    check_error(long_case(PACKED, "packed_attention", 2400, data, seq=3, heads=2, kv_heads=1))


@pytest.mark.parametrize("kernel", ["attention", "decode_attention"])
def test_sinks_and_windows_over_many_runs(kernel: str) -> None:
    """A row may see nothing of its first run, and 1,500 keys are no whole number of anything."""
    values = {"causal": True, "window": 1377, "sinks": True, "heads": 2, "kv_heads": 1}
    check(long_case(SMALL, kernel, 1500, "normal", seq=1 if "decode" in kernel else 11, **values))


@pytest.mark.parametrize(("kernel", "data"), [("attention", "normal"), ("decode_attention", "equal_keys")])
def test_sixty_five_thousand_keys(kernel: str, data: str) -> None:
    machine = Hardware(64, 16, hbm_bytes=1 << 24)
    check_error(long_case(machine, kernel, 65536, data))


def test_a_sum_without_runs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one running sum 4,096 equal keys count as 2,048: the result is twice too large."""
    monkeypatch.setattr(tile_sums, "RUN", 1 << 20)
    rejected(long_case(SMALL, "decode_attention", 4096, "equal_keys"))


def test_neither_a_run_nor_the_sum_of_runs_is_long() -> None:
    for terms in range(1, 3000):
        run = run_length(terms)
        assert run <= max(RUN, 55) and -(-terms // run) <= max(1, 55)
