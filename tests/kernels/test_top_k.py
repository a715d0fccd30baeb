"""Top-k on the reference machine: one level to four, ties, and what is refused."""

from __future__ import annotations

import pytest

from plena_ref.kernels.top_k import TopKKernel, level_rows
from plena_ref.verdict.compare import compare
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from tests.kernels.checking import check, hardware, run


def top_k(mlen: int, **values: object) -> Case:
    """A case on a machine with small memories."""
    return make_case("t", hardware=hardware(mlen, 4), kernel="top_k", **values)


@pytest.mark.parametrize("data", ["normal", "ties"])
@pytest.mark.parametrize("mlen", [8, 128])
@pytest.mark.parametrize(("features", "count"), [(1, 1), (8, 8), (9, 4), (300, 1), (1100, 8)])
def test_sizes(mlen: int, features: int, count: int, data: str) -> None:
    check(top_k(mlen, features=features, count=count, batch=2, seq=1, data=data))


def test_a_vocabulary() -> None:
    """49,152 logits at MLEN 64 take a copy of the row, and little else."""
    assert level_rows(768, 64) == [768, 64, 1]
    check(make_case("t", hardware=hardware(64, 16), kernel="top_k", features=49152, count=2))


def test_a_wrong_place_fails() -> None:
    """Of two equal logits the later one has the right value, and the wrong place."""
    case = top_k(16, features=300, count=3, data="ties")
    workload = build(case)
    machine = run(workload)
    machine.images.intmem[min(workload.integers)] += 1
    verdict = compare(workload, machine.images, machine.images, machine.registers, machine.registers)
    assert not verdict.passed and "INT_MEM word 0: got" in verdict.reasons[0]


def test_the_next_largest_needs_the_last_one_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TopKKernel, "_hide", lambda *_: None)
    with pytest.raises(AssertionError):
        check(top_k(16, features=300, count=2))


@pytest.mark.parametrize(
    ("mlen", "values", "message"),
    [
        (16, {"features": 40, "count": 17}, r"COUNT must lie in 1\.\.16"),
        (16, {"features": 4, "count": 5}, r"COUNT must lie in 1\.\.4"),
        (256, {"features": 40}, r"top-k needs MLEN <= 128 \(got 256\)"),
    ],
)
def test_what_it_does_not_do(mlen: int, values: dict[str, object], message: str) -> None:
    with pytest.raises(CaseError, match=message):
        build(top_k(mlen, **values))
