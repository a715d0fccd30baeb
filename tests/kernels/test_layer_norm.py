"""LayerNorm on the reference machine: sizes, data, large means, and mistakes that are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plena_ref.analysis.layer_norm_roundings import CENTRINGS
from plena_ref.kernels import centring
from plena_ref.kernels.layer_norm import LayerNormKernel
from plena_ref.kernels.program import Program
from plena_ref.kernels.rms_norm import RmsNormKernel
from plena_ref.verdict.accuracy import result_values
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build, place
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.registry import CASES
from tests.kernels.checking import check, hardware, rejected, run


def norm(mlen: int, features: int, **values: object) -> Case:
    """A case on a machine with small memories."""
    return make_case("norm", hardware=hardware(mlen, 4), kernel="layer_norm", features=features, **values)


@pytest.mark.parametrize("name", ["layer_norm", "layer_norm_ragged"])
def test_registered_cases_pass(name: str) -> None:
    check(CASES[name])


@pytest.mark.parametrize("features", [1, 7, 8, 9, 63, 64, 65, 300])
@pytest.mark.parametrize(("batch", "seq"), [(1, 1), (2, 4)])
def test_sizes_below_at_and_above_the_tile(features: int, batch: int, seq: int) -> None:
    """MLEN is 8: one to three levels of sums, last blocks that are partly padding."""
    check(norm(8, features, batch=batch, seq=seq, mean=3.0))


@pytest.mark.parametrize("data", ["normal", "outliers", "large", "one_hot", "tiny"])
@pytest.mark.parametrize("sigma", [0.01, 6000.0])
def test_data_of_any_size(data: str, sigma: float) -> None:
    check(norm(16, 100, batch=2, seq=5, data=data, sigma=sigma))


@pytest.mark.parametrize("mean", [-10.0, 100.0, 1000.0])
def test_a_large_mean_leaves_the_result_as_good(mean: float) -> None:
    """At a mean of 1,000 standard deviations, bf16 steps of X are 4 of them; the result is right about X."""
    case = norm(16, 300, batch=2, seq=5, mean=mean)
    check(case)
    workload = build(case)
    error = np.abs(result_values(workload, run(workload).images.vram) - workload.golden)
    assert error.max() < 0.06


def test_one_centring_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean in bf16 is off by a share of itself, by half a standard deviation: the verdict sees it."""
    assert centring.CENTRINGS == CENTRINGS
    case = norm(16, 300, batch=2, seq=5, mean=100.0)
    monkeypatch.setattr(centring, "CENTRINGS", 1)
    assert "batch 0" in rejected(case)


@pytest.mark.parametrize("value", [0.0, 1.0, 1000.0])
def test_equal_features_give_the_bias(value: float) -> None:
    """Nothing is left of the row but what rounding left, far below the root of EPS."""
    case = norm(16, 300, sigma=1e-30, mean=value * 1e30, eps=1e-5)
    workload = build(case)
    got = result_values(workload, run(workload).images.vram)
    bias = case.problem.roundings(case).bias
    assert np.abs(got - bias).max() <= 0.02 + 0.01 * np.abs(bias).max()


def test_the_interval_is_that_of_the_golden() -> None:
    """Narrow: of results without weights (1 +- 0.25) or bias, or of other rows, much lies outside."""
    case = norm(16, 300, batch=2, seq=5, mean=100.0)
    workload = build(case)
    lower, upper = workload.interval
    assert (lower < workload.golden).all() and (workload.golden < upper).all()
    assert np.median(upper - lower) < 0.25
    model = case.problem.roundings(case)
    for wrong in (
        replace(model, weight=np.ones_like(model.weight)),
        replace(model, bias=np.zeros_like(model.bias)),
        replace(model, x=model.x[:, ::-1]),
    ):
        outside = (wrong.exact < lower) | (wrong.exact > upper)
        assert outside.mean() > 0.3


def test_the_result_may_take_the_place_of_x() -> None:
    case = norm(16, 40, batch=2, seq=5)
    workload, (placed, _) = build(case), place(case)
    separate = run(workload).images.vram[placed.operator.y.addresses()]
    kernel = placed.operator
    kernel.centring.y = kernel.norm.x = kernel.norm.y = kernel.x
    p = Program(case.hardware)
    kernel.emit(p)
    words, _ = p.finish()
    in_place = run(replace(workload, words=words)).images.vram[kernel.x.addresses()]
    np.testing.assert_array_equal(in_place, separate)


@pytest.mark.parametrize("skipped", ["V_ADD_VV", "V_MUL_VV"])
def test_a_skipped_weight_or_bias_is_found(skipped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scale, emit = RmsNormKernel._scale, Program.emit

    def without(p: Program, mnemonic: str, *operands: object, comment: str = "") -> None:
        if mnemonic != skipped:
            emit(p, mnemonic, *operands, comment=comment)

    def mistaken(kernel: RmsNormKernel, p: Program, *rest: object) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Program, "emit", without)
            scale(kernel, p, *rest)

    monkeypatch.setattr(RmsNormKernel, "_scale", mistaken)
    assert "batch 0" in rejected(CASES["layer_norm_ragged"])


def test_a_mean_that_is_left_in_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """RMSNorm of X itself."""

    def uncentred(kernel: LayerNormKernel, p: Program) -> None:
        kernel.norm.x = kernel.x
        kernel.norm.emit(p)

    monkeypatch.setattr(LayerNormKernel, "emit", uncentred)
    assert "batch 0" in rejected(CASES["layer_norm_ragged"])


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"features": 0}, "FEATURES must be at least 1"),
        ({"eps": 0}, "EPS must be between 1e-12 and 1"),
        ({"mean": "inf"}, "MEAN must be finite"),
    ],
)
def test_impossible_norms_name_their_rule(values: dict[str, object], rule: str) -> None:
    with pytest.raises(CaseError, match=rule):
        CASES["layer_norm_ragged"].override(**values)
