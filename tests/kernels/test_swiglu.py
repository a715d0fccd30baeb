"""SwiGLU on the reference machine: sizes, every gate there is, and mistakes that are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plena_ref.golden.swiglu import swiglu
from plena_ref.kernels.program import Program
from plena_ref.kernels.swiglu import SwigluKernel
from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.verdict.rounding_count import swiglu_error
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build, place
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.placement import stage_rows
from plena_ref.workloads.registry import CASES, group
from tests.kernels.checking import check, hardware, rejected, run

#: The largest finite bf16 number.
LARGEST = 2.0**128 - 2.0**120


def gated(features: int, **values: object) -> Case:
    """A case on a machine with small memories."""
    shape = {"features": features, "batch": 2, "seq": 5, **values}
    return make_case("gated", hardware=hardware(16, 4), kernel="swiglu", **shape)


@pytest.mark.parametrize("name", ["swiglu", "swiglu_ragged"])
def test_registered_cases_pass(name: str) -> None:
    check(CASES[name])


@pytest.mark.parametrize("features", [1, 15, 16, 17, 40, 64, 130])
@pytest.mark.parametrize(("batch", "seq"), [(1, 1), (1, 2), (2, 3), (2, 5)])
def test_sizes(features: int, batch: int, seq: int) -> None:
    """Rows and column blocks that are, and are not, multiples of the rows under way."""
    check(gated(features, batch=batch, seq=seq))


@pytest.mark.parametrize("data", ["normal", "outliers", "large", "one_hot", "tiny"])
@pytest.mark.parametrize("sigma", [0.01, 30.0])
def test_data_of_any_size(data: str, sigma: float) -> None:
    check(gated(40, data=data, sigma=sigma))


@pytest.mark.parametrize("up", [1.0, -3.0e38, 2.0**-130])
def test_every_finite_gate(up: float) -> None:
    """All bf16 numbers: no NaN at either end, and each within its bound, or beyond the largest number."""
    case = replace(gated(64, batch=1, seq=1024), hardware=hardware(64, 16))
    workload, (placed, _) = build(case), place(case)
    every = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16).reshape(1024, 64)
    every[~np.isfinite(bf16_to_f32(every))] = 0
    ups = np.full(every.shape, np.float32(up).view(np.uint32) >> 16, np.uint16)
    for tensor, rows in ((placed.operator.gate, every), (placed.operator.up, ups)):
        stage_rows(tensor, workload.images.vram, rows, len(rows))
    got = bf16_to_f32(run(workload).images.vram[placed.operator.result.addresses()]).astype(np.float64)
    gate, flushed_up = (bf16_to_f32(bits).astype(np.float64) for bits in (every, ups))
    exact = swiglu(gate, flushed_up)
    bound = swiglu_error(gate, flushed_up)
    overflows = (np.abs(exact) + bound > LARGEST) & (got == np.copysign(np.inf, exact))
    assert (overflows | (np.abs(got - exact) <= bound)).all()
    assert overflows.any() == (up < -1)


@pytest.mark.parametrize("operand", ["gate", "up"])
def test_the_result_may_take_the_place_of_an_operand(operand: str) -> None:
    case = gated(40)
    workload, (placed, _) = build(case), place(case)
    separate = run(workload).images.vram[placed.operator.result.addresses()]
    placed.operator.result = getattr(placed.operator, operand)
    p = Program(case.hardware)
    placed.operator.emit(p)
    words, _ = p.finish()
    in_place = run(replace(workload, words=words)).images.vram[placed.operator.result.addresses()]
    np.testing.assert_array_equal(in_place, separate)


def test_gate_and_up_swapped_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    emit = SwigluKernel.emit

    def swapped(kernel: SwigluKernel, p: Program) -> None:
        kernel.gate, kernel.up = kernel.up, kernel.gate
        emit(kernel, p)
        kernel.gate, kernel.up = kernel.up, kernel.gate

    monkeypatch.setattr(SwigluKernel, "emit", swapped)
    for case in group("activation"):
        if case.kernel == "swiglu":
            assert "batch 0" in rejected(case)


def test_a_gate_of_the_wrong_sign_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """exp(gate) in place of exp(-gate)."""
    negate = Program.emit

    def wrong(p: Program, mnemonic: str, *operands: object, comment: str = "") -> None:
        operands = (*operands[:4], 0) if mnemonic == "V_SUB_VF" else operands
        negate(p, mnemonic, *operands, comment=comment)

    monkeypatch.setattr(Program, "emit", wrong)
    assert "batch 0" in rejected(CASES["swiglu_ragged"])


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(CaseError, match="FEATURES must be at least 1"):
        CASES["swiglu"].override(features=0)
