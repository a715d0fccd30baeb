"""RMSNorm on the reference machine: sizes, data, the tree of sums, and what it is judged by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plena_ref.kernels.row_sums import RowSums, sum_levels
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.verdict.accuracy import result_values
from plena_ref.verdict.rounding_count import rms_norm_error
from plena_ref.workloads.base import CaseError, Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.registry import CASES
from tests.cases import with_problem
from tests.kernels.checking import check, hardware, run


def norm(mlen: int, features: int, **values: object) -> Case:
    """A case on a machine with small memories."""
    return make_case("norm", hardware=hardware(mlen, 4), kernel="rms_norm", features=features, **values)


@pytest.mark.parametrize("name", ["rms_norm", "rms_norm_ragged"])
def test_registered_cases_pass(name: str) -> None:
    check(CASES[name])


@pytest.mark.parametrize("features", [1, 7, 8, 9, 16, 63, 64, 65, 300, 513])
@pytest.mark.parametrize(("batch", "seq"), [(1, 1), (2, 3), (3, 4)])
def test_sizes_below_at_and_above_the_tile(features: int, batch: int, seq: int) -> None:
    """MLEN is 8: one to three levels of sums, last rows that are not all in flight, last blocks not full."""
    check(norm(8, features, batch=batch, seq=seq))


@pytest.mark.parametrize("data", ["normal", "outliers", "large", "one_hot", "tiny"])
@pytest.mark.parametrize("sigma", [0.01, 1.5, 6000.0])
def test_data_of_any_size(data: str, sigma: float) -> None:
    """Within the bound for all, at a sigma of 6,000 with activations of 25,000."""
    check(norm(16, 100, batch=2, seq=5, data=data, sigma=sigma))


@pytest.mark.parametrize("eps", [1e-12, 1e-6, 0.5])
def test_eps(eps: float) -> None:
    check(norm(16, 40, eps=eps, sigma=0.001))


def fill_rows(workload: Workload, rows: int, value: float) -> None:
    """X, which lies at VRAM address 0, becomes `value` in every feature."""
    mlen = workload.hardware.mlen
    features = workload.golden.shape[-1]
    physical_rows = workload.comparison.physical_rows
    for block, first in enumerate(range(0, features, mlen)):
        place = workload.images.vram[block * physical_rows * mlen :][: rows * mlen].reshape(rows, mlen)
        place[:, : min(mlen, features - first)] = bf16_from_float(np.float64(value))


@pytest.mark.parametrize("exponent", [14, 55])
def test_squares_do_not_overflow(exponent: int) -> None:
    """Activations of 25,000 and far beyond: f32's exponents hold the squares and their sum."""
    case = norm(16, 300)
    workload = build(case)
    fill_rows(workload, 4, np.float64(1.5 * 2.0**exponent))
    got = result_values(workload, run(workload).images.vram)
    weight = bf16_to_f32(case.problem.draw(case).weight)[0]
    np.testing.assert_allclose(got[0, :, 0, :], np.tile(weight, (4, 1)), rtol=rms_norm_error(3))


def test_each_level_adds_mlen_numbers() -> None:
    assert sum_levels(16, 16) == [16]
    assert sum_levels(17, 16) == [17, 2]
    assert sum_levels(256, 16) == [256, 16]
    assert sum_levels(257, 16) == [257, 17, 2]


def test_a_running_sum_in_a_register_would_break_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """512 blocks of equal squares: each new one is less than half a step of the running sum."""
    case = replace(norm(8, 1, seq=1), hardware=hardware(8, 4, fp_words=4096))
    case = with_problem(case, features=4096)
    check(case)
    workload = build(case)
    fill_rows(workload, 1, 1.0)
    tree = result_values(workload, run(workload).images.vram)

    def running(sums_of: RowSums, p: object, sums: list, rows: list) -> None:
        for total, row in zip(sums, rows, strict=True):
            p.V_RED_SUM(total, row)

    def keep_sums(sums_of: RowSums, *_: object) -> None:
        """No level but the first: the sums stay in the registers."""

    monkeypatch.setattr(RowSums, "_reduce", running)
    monkeypatch.setattr(RowSums, "_store", keep_sums)
    monkeypatch.setattr(RowSums, "_sum_level", keep_sums)
    wrong = build(case)
    fill_rows(wrong, 1, 1.0)
    weight = bf16_to_f32(case.problem.draw(case).weight)[0]
    error = [
        np.abs(got[0, 0, 0] / weight - 1).max()
        for got in (tree, result_values(wrong, run(wrong).images.vram))
    ]
    assert error[0] < rms_norm_error(4) < 0.04 < 0.3 < error[1]


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"features": 0}, "FEATURES must be at least 1"),
        ({"seq": 0}, "SEQ must be at least 1"),
        ({"batch": -1}, "BATCH must be at least 1"),
        ({"eps": 0}, "EPS must be between 1e-12 and 1"),
        ({"eps": 2}, "EPS must be between 1e-12 and 1"),
        ({"data": "equal_keys"}, "DATA must be one of normal, outliers"),
        ({"heads": 2}, "KERNEL = rms_norm has no HEADS"),
        ({"kernel": "linear"}, "KERNEL = linear has no FEATURES"),
    ],
)
def test_impossible_norms_name_their_rule(values: dict[str, object], rule: str) -> None:
    with pytest.raises(CaseError, match=rule):
        CASES["rms_norm_ragged"].override(**values)


def test_what_does_not_fit_is_named() -> None:
    few = Hardware(8, 4, fp_words=64, vram_elems=1 << 16, hbm_bytes=1 << 16)
    with pytest.raises(CaseError, match="FP_MEM is full: sums of squares needs 216 words at 2"):
        build(make_case("norm", hardware=few, kernel="rms_norm", features=500))
