"""GELU on the reference machine: sizes, every input there is, both forms, and mistakes that are found."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from plena_ref.analysis.gelu_formula import FORMULAS
from plena_ref.golden.gelu import gelu, gelu_tanh
from plena_ref.kernels.program import Program
from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.verdict import gelu_bound
from plena_ref.verdict.compare import compare
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build, place
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.placement import stage_rows
from plena_ref.workloads.registry import CASES
from tests.kernels.checking import check, hardware, rejected, run

GOLDEN = {"gelu": gelu, "gelu_tanh": gelu_tanh}
#: The largest error over all bf16 inputs by 2^-7 * max(1, |x|), and the input that has it (docs/kernels.md).
LARGEST_ERROR = {"gelu": (0.829, 1.59375), "gelu_tanh": (0.763, 1.6015625)}


def activated(form: str, features: int, **values: object) -> Case:
    """A case on a machine with small memories."""
    shape = {"features": features, "batch": 2, "seq": 5, **values}
    return make_case("activated", hardware=hardware(16, 4), kernel=form, **shape)


@pytest.mark.parametrize("name", ["gelu", "gelu_tanh"])
def test_registered_cases_pass(name: str) -> None:
    check(CASES[name])


@pytest.mark.parametrize("form", FORMULAS)
@pytest.mark.parametrize("features", [1, 16, 17, 64, 130])
@pytest.mark.parametrize(("batch", "seq"), [(1, 1), (2, 5)])
def test_sizes(form: str, features: int, batch: int, seq: int) -> None:
    check(activated(form, features, batch=batch, seq=seq))


@pytest.mark.parametrize("form", FORMULAS)
@pytest.mark.parametrize("data", ["normal", "outliers", "large", "one_hot", "tiny"])
def test_data_of_any_size(form: str, data: str) -> None:
    check(activated(form, 40, data=data))


def every_input(form: str) -> tuple[np.ndarray, np.ndarray]:
    """All bf16 numbers but NaN, and what the machine makes of them, in float64."""
    case = replace(activated(form, 64, batch=1, seq=1024), hardware=hardware(64, 16))
    workload, (placed, _) = build(case), place(case)
    bits = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16).reshape(1024, 64)
    stage_rows(placed.operator.x, workload.images.vram, bits, len(bits))
    result = run(workload).images.vram[placed.operator.result.addresses()]
    x, got = (bf16_to_f32(one).astype(np.float64) for one in (bits, result))
    number = ~np.isnan(x)
    assert np.isnan(got[~number]).all()
    return x[number], got[number]


@pytest.mark.parametrize("form", FORMULAS)
def test_every_input_there_is(form: str) -> None:
    """Infinities are exact; the largest error is that of the docs, and each is within its interval."""
    x, got = every_input(form)
    finite = np.isfinite(x)
    assert got[x == np.inf] == np.inf and got[x == -np.inf] == 0
    x, got = x[finite], got[finite]
    exact = GOLDEN[form](x)
    error = np.abs(got - exact) / np.maximum(1, np.abs(x)) * 2**7
    largest, where = LARGEST_ERROR[form]
    assert error.max() == pytest.approx(largest, abs=0.0005) and error.max() <= 1
    assert x[error.argmax()] == where
    formula = FORMULAS[form]
    lower, upper = gelu_bound.interval(x, formula.coefficients, formula.limit, formula.error)
    assert ((lower <= got) & (got <= upper)).all() and ((lower <= exact) & (exact <= upper)).all()


def test_the_intervals_are_narrow() -> None:
    """At most three steps of bf16 either side where the result is not small."""
    x = np.linspace(-8, 8, 2001)
    for formula in FORMULAS.values():
        lower, upper = gelu_bound.interval(x, formula.coefficients, formula.limit, formula.error)
        assert ((upper - lower) <= 2 * 3 * 2.0**-7 * np.maximum(1, np.abs(x))).all()


@pytest.mark.parametrize("form", FORMULAS)
def test_the_formula_is_as_near_as_it_says(form: str) -> None:
    """In float64, densely, and far beyond where the fit ends."""
    formula = FORMULAS[form]
    x = np.concatenate([np.linspace(-40, 40, 40_001), -np.logspace(1.5, 30, 300)])
    with np.errstate(over="ignore"):
        computed = x / (1 + np.exp(-formula.argument(x)))
    assert np.abs(computed - GOLDEN[form](x)).max() <= max(formula.error, 1e-12)


def test_the_goldens_are_the_textbook_forms() -> None:
    x = np.linspace(-6, 6, 241)
    np.testing.assert_allclose(gelu(x), [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x], atol=1e-15)
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    np.testing.assert_allclose(gelu_tanh(x), 0.5 * x * (1 + np.tanh(inner)), atol=1e-15)


@pytest.mark.parametrize("form", FORMULAS)
def test_the_result_may_take_the_place_of_x(form: str) -> None:
    case = activated(form, 40)
    workload, (placed, _) = build(case), place(case)
    separate = run(workload).images.vram[placed.operator.result.addresses()]
    placed.operator.result = placed.operator.x
    p = Program(case.hardware)
    placed.operator.emit(p)
    words, _ = p.finish()
    in_place = run(replace(workload, words=words)).images.vram[placed.operator.x.addresses()]
    np.testing.assert_array_equal(in_place, separate)


@pytest.mark.parametrize("form", FORMULAS)
@pytest.mark.parametrize(
    ("wrong", "instead"), [("V_ADD_VF", "V_MUL_VF"), ("V_RECI_V", "V_EXP_V"), ("V_MUL_VF", "V_MAX_VF")]
)
def test_a_wrong_step_is_found(form: str, wrong: str, instead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    emit = Program.emit

    def mistaken(p: Program, mnemonic: str, *operands: object, comment: str = "") -> None:
        emit(p, instead if mnemonic == wrong else mnemonic, *operands, comment=comment)

    monkeypatch.setattr(Program, "emit", mistaken)
    assert "batch 0" in rejected(activated(form, 40))


@pytest.mark.parametrize("form", FORMULAS)
def test_a_wrong_sign_is_found(form: str) -> None:
    """-GELU(-x), by coefficients that are not negated."""
    case = activated(form, 40)
    workload, (placed, _) = build(case), place(case)
    first = placed.operator.constants + 2
    workload.images.fpmem[first : first + len(FORMULAS[form].coefficients)] ^= 0x8000
    got = run(workload)
    assert not compare(workload, got.images, got.images, got.registers, got.registers).passed


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(CaseError, match="FEATURES must be at least 1"):
        CASES["gelu"].override(features=0)
