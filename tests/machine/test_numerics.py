"""`plena_ref.machine.numerics` against exact arithmetic, and each way in which easy code is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import ml_dtypes
import numpy as np
import pytest

from plena_ref.machine import numerics
from tb import oracle as exact

EVERY_BF16 = np.arange(1 << 16, dtype=np.uint16)

#: The bf16 input (6.84375) at which numpy's float32 exp has been seen to round to the wrong bf16.
EXP_TRAP = 0x40DB


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Overflow and invalid operations are results here, not accidents."""
    with np.errstate(all="ignore"):
        yield


def corners() -> np.ndarray:
    """Some 130 bf16 patterns at which arithmetic changes its mind: zeros, borders, ties, infinities, NaN."""
    magnitudes = [0x0000, 0x0001, 0x0040, 0x007F, 0x0080, 0x0081, 0x00FF, 0x0100, 0x0180, 0x0B80, 0x0C00]
    magnitudes += [
        0x2000,
        0x3400,
        0x3780,
        0x37FF,
        0x3B80,
        0x3BFF,
        0x3C00,
        0x3EFF,
        0x3F00,
        0x3F01,
        0x3F7E,
        0x3F7F,
    ]
    magnitudes += [
        0x3F80,
        0x3F81,
        0x3F82,
        0x3FC0,
        0x3FFF,
        0x4000,
        0x4001,
        0x4040,
        0x4049,
        0x4080,
        0x42B1,
        0x42FF,
    ]
    magnitudes += [
        0x4300,
        0x437F,
        0x4380,
        0x4381,
        0x43E0,
        0x43E8,
        0x4400,
        0x4780,
        0x4B00,
        0x4B80,
        0x4C00,
        0x5F80,
    ]
    magnitudes += [
        0x6000,
        0x7000,
        0x7E80,
        0x7EFF,
        0x7F00,
        0x7F01,
        0x7F40,
        0x7F7E,
        0x7F7F,
        0x7F80,
        0x7F81,
        0x7FA5,
    ]
    magnitudes += [0x7FC0, 0x7FFF]
    return np.array(magnitudes + [m | 0x8000 for m in magnitudes], dtype=np.uint16)


def pairs(random_count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of corners, random pairs of patterns, and pairs whose exponents lie close together."""
    rng = np.random.default_rng(seed)
    corner = corners()
    a, b = (side.ravel() for side in np.meshgrid(corner, corner))
    wild = rng.integers(0, 1 << 16, (2, random_count), dtype=np.uint16)
    near = rng.integers(0, 1 << 16, random_count, dtype=np.uint16)
    offset = rng.integers(-1200, 1201, random_count)
    sign = (rng.integers(0, 2, random_count) << 15).astype(np.uint16)
    other = (near.astype(np.int64) + offset).astype(np.uint16) ^ sign
    return np.concatenate([a, wild[0], near]), np.concatenate([b, wild[1], other])


@pytest.mark.parametrize("name", ["bf16_add", "bf16_sub", "bf16_mul", "bf16_max", "bf16_min"])
def test_elementwise_is_exact(name: str) -> None:
    a, b = pairs(random_count=8000, seed=11)
    got = getattr(numerics, name)(a, b)
    oracle = getattr(exact, name)
    wanted = [oracle(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert got.dtype == np.uint16
    wrong = np.flatnonzero(got != np.array(wanted, dtype=np.uint16))
    assert not wrong.size, [(hex(a[i]), hex(b[i]), hex(got[i]), hex(wanted[i])) for i in wrong[:5]]


@pytest.mark.parametrize("name", ["f32_add", "f32_mul"])
def test_f32_steps_are_exact(name: str) -> None:
    rng = np.random.default_rng(12)
    a = rng.integers(0, 1 << 32, 12000, dtype=np.uint32)
    b = rng.integers(0, 1 << 32, 12000, dtype=np.uint32)
    # A third each: any two patterns, almost cancelling ones, and ones around the subnormal border.
    b[4000:8000] = a[4000:8000] ^ 0x8000_0000 ^ rng.integers(0, 1 << 12, 4000, dtype=np.uint32)
    a[8000:] = a[8000:] & 0x80FF_FFFF | 0x0040_0000
    b[8000:10000] = b[8000:10000] & 0x80FF_FFFF
    b[10000:] = b[10000:] & 0xBFFF_FFFF | 0x3F00_0000
    got = getattr(numerics, name)(a.view(np.float32), b.view(np.float32)).view(np.uint32)
    oracle = getattr(exact, name)
    wanted = np.array([oracle(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)], dtype=np.uint32)
    wrong = np.flatnonzero(got != wanted)
    assert not wrong.size, [(hex(a[i]), hex(b[i]), hex(got[i]), hex(wanted[i])) for i in wrong[:5]]


def test_conversions_are_exact() -> None:
    widened = numerics.bf16_to_f32(EVERY_BF16).view(np.uint32)
    assert widened.tolist() == [exact.bf16_to_f32(bits) for bits in range(1 << 16)]
    rng = np.random.default_rng(13)
    ties = (rng.integers(0, 1 << 16, 4000, dtype=np.uint32) << 16) | 0x8000
    patterns = np.concatenate([ties, ties - 1, ties + 1, rng.integers(0, 1 << 32, 8000, dtype=np.uint32)])
    got = numerics.f32_to_bf16(patterns.view(np.float32))
    assert got.tolist() == [exact.f32_to_bf16(bits) for bits in patterns.tolist()]
    scalars = [numerics.scalar_to_bf16(value) for value in patterns.view(np.float32)]
    assert scalars == got.tolist()


def test_bf16_flush_keeps_the_sign_and_the_numbers() -> None:
    assert numerics.bf16_flush(EVERY_BF16).tolist() == [
        exact.f32_to_bf16(bits << 16) for bits in range(1 << 16)
    ]


@pytest.mark.parametrize("name", ["bf16_exp", "bf16_reciprocal", "bf16_sqrt"])
def test_special_functions_are_correctly_rounded_for_every_input(name: str) -> None:
    oracle = getattr(exact, name)
    wanted = np.array([oracle(bits) for bits in range(1 << 16)], dtype=np.uint16)
    wrong = np.flatnonzero(getattr(numerics, name)(EVERY_BF16) != wanted)
    assert not wrong.size, [hex(bits) for bits in wrong[:5]]


#: Results at special inputs, by function.
SPECIAL_VALUES = {
    "bf16_exp": {0xFF80: 0x0000, 0x7F80: 0x7F80, 0x0000: 0x3F80, 0x807F: 0x3F80},
    "bf16_reciprocal": {0x0000: 0x7F80, 0x8000: 0xFF80, 0x8001: 0xFF80, 0xFF80: 0x8000},
    "bf16_sqrt": {0x8000: 0x8000, 0x807F: 0x8000, 0x8080: 0x7FC0, 0x7F80: 0x7F80, 0xFFFF: 0x7FC0},
}


@pytest.mark.parametrize(
    ("name", "bits", "wanted"),
    [(name, *pair) for name, results in SPECIAL_VALUES.items() for pair in results.items()],
)
def test_special_values(name: str, bits: int, wanted: int) -> None:
    assert int(getattr(numerics, name)(np.uint16(bits))) == wanted


def test_exp_is_right_where_float32_exp_is_wrong() -> None:
    """numpy's float32 exp, rounded to bf16, misses one input where its kernel is off by an ulp."""
    tempting = numerics.f32_to_bf16(np.exp(numerics.bf16_to_f32(EVERY_BF16)))
    for bits in np.flatnonzero(tempting != numerics.bf16_exp(EVERY_BF16)).tolist():
        assert int(numerics.bf16_exp(np.uint16(bits))) == exact.bf16_exp(bits) != int(tempting[bits])
    assert int(numerics.bf16_exp(np.uint16(EXP_TRAP))) == exact.bf16_exp(EXP_TRAP)


def test_maximum_orders_signed_zeros_whatever_the_order_of_operands() -> None:
    zeros = np.array([0x0000, 0x8000], dtype=np.uint16)
    assert numerics.bf16_max(zeros, zeros[::-1]).tolist() == [0x0000, 0x0000]
    assert numerics.bf16_min(zeros, zeros[::-1]).tolist() == [0x8000, 0x8000]
    assert numerics.bf16_max_reduce(np.array([0x8000, 0x8001, 0x0000, 0x8000], dtype=np.uint16)) == 0x0000
    assert numerics.bf16_max_reduce(np.array([0x8000, 0xBF80], dtype=np.uint16)) == 0x8000


@pytest.mark.parametrize("nan", [0x7F81, 0x7FC0, 0x7FFF, 0xFF81, 0xFFA5, 0xFFFF])
def test_every_nan_comes_out_as_the_one_nan(nan: int) -> None:
    for name in ("bf16_add", "bf16_sub", "bf16_mul", "bf16_max", "bf16_min"):
        operation = getattr(numerics, name)
        assert int(operation(np.uint16(nan), np.uint16(0x3F80))) == 0x7FC0
        assert int(operation(np.uint16(0x3F80), np.uint16(nan))) == 0x7FC0
    assert numerics.bf16_max_reduce(np.array([0x3F80, nan, 0x7F80], dtype=np.uint16)) == 0x7FC0


def test_infinity_minus_infinity_has_no_sign() -> None:
    infinity = np.uint16(0x7F80)
    assert int(numerics.bf16_sub(infinity, infinity)) == 0x7FC0
    assert int(numerics.bf16_add(infinity, np.uint16(0xFF80))) == 0x7FC0
    f32 = np.array([np.inf], dtype=np.float32)
    assert numerics.f32_add(f32, -f32).view(np.uint32).tolist() == [0x7FC0_0000]


def test_f32_is_flushed_before_it_is_rounded_to_bf16() -> None:
    below = np.array([0x007F_FFFF, 0x807F_FFFF], dtype=np.uint32).view(np.float32)
    assert below.astype(ml_dtypes.bfloat16).view(np.uint16).tolist() == [0x0080, 0x8080]
    assert numerics.f32_to_bf16(below).tolist() == [0x0000, 0x8000]
    assert [numerics.scalar_to_bf16(value) for value in below] == [0x0000, 0x8000]


def test_rounding_goes_through_f32_and_not_straight_to_bf16() -> None:
    """1 + 2^-8 + 2^-32 is above a bf16 tie; its f32 is the tie, which goes down to even."""
    one, half_ulp = np.uint16(0x3F80), np.uint16(0x3B80)
    assert int(numerics.bf16_add(one, half_ulp)) == 0x3F80
    tie = numerics.f32_add(numerics.bf16_to_f32(one), numerics.bf16_to_f32(half_ulp))
    assert int(numerics.f32_to_bf16(numerics.f32_add(tie, np.float32(2.0**-32)))) == 0x3F80
    assert int(numerics.f32_to_bf16(numerics.f32_add(tie, np.float32(2.0**-23)))) == 0x3F81


@pytest.mark.parametrize("length", [1, 2, 8, 64])
@pytest.mark.parametrize("kind", ["gaussian", "cancelling", "tiny", "wild"])
def test_tree_sum_is_the_balanced_tree(length: int, kind: str) -> None:
    rng = np.random.default_rng([length, len(kind)])
    if kind == "gaussian":
        x = rng.standard_normal((20, length)).astype(np.float32)
    elif kind == "cancelling":
        half = (rng.standard_normal((20, (length + 1) // 2)) * 2.0 ** rng.integers(-20, 20)).astype(
            np.float32
        )
        x = rng.permuted(np.concatenate([half, -half], axis=1), axis=1)[:, :length]
    elif kind == "tiny":
        x = (rng.integers(-(1 << 25), 1 << 25, (20, length)) * 2.0**-148).astype(np.float32)
    else:
        x = rng.integers(0, 1 << 32, (20, length), dtype=np.uint32).view(np.float32)
    x = numerics.f32_flush(x)
    got = numerics.f32_flush(numerics.tree_sum(x)).view(np.uint32)
    assert got.tolist() == [exact.tree_sum(row) for row in x.view(np.uint32).tolist()]


def test_tree_sum_is_not_numpy_sum_on_cancelling_data() -> None:
    big = np.float32(2.0**30)
    x = np.array([big, 1.0, -big, 1.0], dtype=np.float32)
    assert float(numerics.tree_sum(x)) == 0.0
    assert float(np.cumsum(x)[-1]) == 1.0


def test_grid_test_admits_no_subnormal_sum() -> None:
    edge = np.array([2.0**-103], dtype=np.float32)
    assert numerics.on_f32_grid(edge)
    assert numerics.on_f32_grid(np.array([0.0, -0.0, np.inf, 1.0], dtype=np.float32))
    assert not numerics.on_f32_grid(np.nextafter(edge, np.float32(0)))
    neighbours = edge[0] - np.nextafter(edge[0], np.float32(1))
    assert abs(float(neighbours)) == 2.0**-126
