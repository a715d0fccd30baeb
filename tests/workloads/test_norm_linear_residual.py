"""Three operators in one program: each against float64 on what it was given, and all together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from plena_ref.analysis.rms_norm_roundings import sum_levels
from plena_ref.analysis.roundings import as_heads
from plena_ref.golden.linear import linear
from plena_ref.golden.residual_add import residual_add
from plena_ref.golden.rms_norm import rms_norm
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.verdict.rounding_count import linear_error, rms_norm_error, sum_error
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build, place
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.registry import CASES
from tests.cases import with_problem
from tests.kernels.checking import check, hardware, run

REGISTERED = ("norm_linear_residual", "norm_linear_residual_ragged")


def block(features: int, mlen: int = 16, **values: object) -> Case:
    """A case on a machine with small memories."""
    shape = {"features": features, "batch": 2, "seq": 5, **values}
    return make_case("block", hardware=hardware(mlen, 4), kernel="norm_linear_residual", **shape)


def values_of(tensor: VramTensor, vram: NDArray[np.uint16]) -> NDArray[np.float64]:
    """The rows of a tensor, without its padding columns."""
    return bf16_to_f32(vram[tensor.addresses()]).astype(np.float64)


@pytest.mark.parametrize("name", REGISTERED)
def test_registered_cases_pass(name: str) -> None:
    check(CASES[name])


@pytest.mark.parametrize("features", [4, 12, 16, 20, 64, 100])
@pytest.mark.parametrize(("batch", "seq"), [(1, 1), (2, 3), (3, 8)])
def test_sizes(features: int, batch: int, seq: int) -> None:
    check(block(features, batch=batch, seq=seq))


@pytest.mark.parametrize("data", ["normal", "outliers", "large", "one_hot", "tiny"])
def test_data_of_any_size(data: str) -> None:
    check(block(44, data=data))


@pytest.mark.parametrize("case", [*(CASES[name] for name in REGISTERED), block(100)], ids=lambda c: c.name)
def test_each_operator_is_right_about_what_it_was_given(case: Case) -> None:
    """Every stage within the bound of its own roundings, from the bf16 values that it found."""
    vram = run(build(case)).images.vram
    norm, *_, layer, add = place(case)[0].operator.operators
    x, normed, product, result = (values_of(t, vram) for t in (norm.x, norm.y, add.y, add.result))
    assert layer.x.parent == norm.y and layer.y.parent == add.y and add.x == norm.x
    model = case.problem.roundings(case)
    exact = rms_norm(x, model.norm.weight, case.problem.eps)
    bound = rms_norm_error(sum_levels(case.problem.features, case.hardware.mlen))
    assert (np.abs(normed - exact) <= bound * np.abs(exact)).all()
    # Twice the bound more is seen in every element.
    assert (np.abs((1 + 2.2 * bound) * normed - exact) > bound * np.abs(exact))[exact != 0].all()
    nothing = np.zeros_like(normed)
    assert (np.abs(product - linear(normed, model.w)) <= linear_error(normed, nothing, model.w)).all()
    exact = residual_add(x, product)
    assert (np.abs(result - exact) <= sum_error(exact, np.zeros_like(exact))).all()


def test_the_interval_is_that_of_the_golden() -> None:
    """Another seed's result, a result without X and one without W lie outside."""
    case = CASES["norm_linear_residual_ragged"]
    workload = build(case)
    lower, upper = workload.interval
    assert (lower < workload.golden).all() and (workload.golden < upper).all()
    model = case.problem.roundings(case)
    for wrong in (as_heads(model.product), as_heads(model.norm.x), build(replace(case, seed=1)).golden):
        outside = (wrong < lower) | (wrong > upper)
        assert outside.mean() > 0.5


def test_what_does_not_fit_names_its_rule() -> None:
    with pytest.raises(CaseError, match="OUT_FEATURES must be a multiple of BLEN"):
        with_problem(block(44), features=42)
    with pytest.raises(CaseError, match="EPS must be between"):
        block(44, eps=0.0)
