"""The error bound for any data: it holds, it is what plain reasoning gives, and it sees wrong results."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.reference import Machine
from plena_ref.verdict import error_bound
from plena_ref.verdict.accuracy import accuracy, result_values
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.input_data import DATA

HARDWARE = Hardware(16, 4, vram_elems=1 << 16, hbm_bytes=1 << 18)
HOSTILE = [kind for kind in DATA if kind != "normal"]


def result(case: Case) -> np.ndarray:
    """What the reference machine leaves: batch x seq x heads x head_dim."""
    workload = build(case)
    machine = Machine(case.hardware, workload.images, workload.limit)
    assert machine.run(workload.words).status == "stopped"
    return result_values(workload, machine.images.vram)


def test_the_extreme_ratio_is_that_of_every_corner() -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((5, 3))
    low = rng.random((4, 5))
    high = low * rng.uniform(1, 4, low.shape)
    got = error_bound._extreme(values, low, high)
    for row, column in np.ndindex(4, 3):
        corners = [np.array(w) for w in product(*zip(low[row], high[row], strict=True))]
        best = max(w @ values[:, column] / w.sum() for w in corners)
        assert got[row, column] == pytest.approx(best, rel=1e-12)


def test_the_interval_of_one_key_is_its_value_and_a_few_roundings() -> None:
    q, k, v = np.random.default_rng(2).standard_normal((3, 1, 1, 1, 8)) * 1e6
    lower, upper = error_bound.interval(q, k, v, causal=True, key_tiles=1)
    few = 5.1 * 2.0**-8
    assert (np.abs(upper - v) <= few * np.abs(v)).all() and (np.abs(lower - v) <= few * np.abs(v)).all()
    assert (lower < v).all() and (v < upper).all()


@pytest.mark.parametrize("kind", HOSTILE)
def test_another_problems_result_is_outside(kind: str) -> None:
    """The bound is no blank cheque: the result of another seed, or of no mask, does not pass."""
    case = make_case("bound", hardware=HARDWARE, seq=20, head_dim=16, causal=True, data=kind)
    workload = build(case)
    judge = (workload.golden, case.tolerance, workload.interval)
    assert accuracy(result(case), *judge)[0].passed
    if kind != "tiny":
        assert not accuracy(result(case.override(seed=1)), *judge)[0].passed
        assert not accuracy(result(case.override(causal=False)), *judge)[0].passed


@pytest.mark.parametrize("keys", [1, 2, 4, 8, 16])
def test_equal_keys_give_exactly_the_mean(keys: int) -> None:
    """Scores are equal, so P is 1, the sum is the number of keys, and P V an exact sum, rounded once."""
    case = make_case("mean", hardware=HARDWARE, batch=2, seq=3, kv_seq=keys, head_dim=16, data="equal_keys")
    workload = build(case)
    exact = workload.golden * keys
    rounded = bf16_to_f32(bf16_from_float(exact)).astype(np.float64) / keys
    np.testing.assert_array_equal(result(case), rounded)


@pytest.mark.parametrize("kind", DATA)
def test_a_row_that_sees_one_key_is_its_value(kind: str) -> None:
    """All keys masked but one: P = 1 and l = 1, so the value comes out as the machine read it."""
    case = make_case("one", hardware=HARDWARE, seq=20, head_dim=16, causal=True, window=1, data=kind)
    workload = build(case)
    values = bf16_to_f32(bf16_from_float(workload.golden))
    np.testing.assert_array_equal(result(case), values)


def test_tiny_numbers_are_staged_as_they_are() -> None:
    """Subnormal bf16 queries reach VRAM; the machine flushes them."""
    case = make_case("tiny", hardware=HARDWARE, seq=5, head_dim=16, data="tiny")
    bits = build(case).images.vram & 0x7FFF
    assert ((bits > 0) & (bits < 0x80)).any()
    magnitudes = np.abs(case.problem.draw(case).q)
    assert (magnitudes < 2.0**-126).any() and (magnitudes > 2.0**-126).any()
