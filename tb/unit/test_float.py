"""The functions of rtl/float/plena_fp.sv against exact rational arithmetic, on raw bit patterns.

Small sets go straight to :mod:`tb.oracle`. The million random pairs go to numpy float32, whose addition and
multiplication are IEEE 754 operations, with isa.md's flush and one NaN laid around them; that fast oracle is
itself held against the rationals on every corner pair and on a sample of the random ones.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from tb import oracle as exact
from tb.engine import simulate
from tb.unit import fp_bench
from tb.unit.fp_bench import Bits

U32 = NDArray[np.uint32]
F32 = NDArray[np.float32]
SIGN = np.uint32(0x8000_0000)
F32_NAN = np.uint32(0x7FC0_0000)
RANDOM_PAIRS = 1_000_000


def flush32(bits: Bits) -> U32:
    """Return f32 bits (uint32) with subnormals as signed zero and every NaN as the one NaN."""
    bits = np.where(bits & 0x7F80_0000, bits, bits & SIGN)
    return np.where((bits & ~SIGN) > 0x7F80_0000, F32_NAN, bits).astype(np.uint32)


def fast(operation: Callable[[F32, F32], F32], a: Bits, b: Bits) -> U32:
    """Return one float32 operation on f32 bits (uint32), flushed before and after."""
    with np.errstate(all="ignore"):
        result = operation(flush32(a).view(np.float32), flush32(b).view(np.float32))
    return flush32(result.view(np.uint32))


def fast_narrow(bits: Bits) -> U32:
    """Return f32 bits rounded to bf16 (bits in uint32), flushed before the rounding."""
    bits = flush32(bits)
    rounded = bits.view(np.float32).astype(ml_dtypes.bfloat16).view(np.uint16).astype(np.uint32)
    return np.where(bits == F32_NAN, np.uint32(0x7FC0), rounded)


def corners32() -> U32:
    """About 200 f32 patterns: borders of every class, ties, neighbours of powers of two, both signs."""
    exponents = (0, 1, 2, 3, 23, 24, 25, 102, 103, 126, 127, 128, 150, 151, 152, 153, 154, 229, 253, 254, 255)
    fractions = (0, 1, 2, 0x7FFF, 0x8000, 0x40_0000, 0x7F_FFFF)
    positive = [
        e << 23 | f for e in exponents for f in (fractions if e in (0, 1, 127, 254, 255) else fractions[::3])
    ]
    positive += [
        e << 23 | f for e in (101, 126, 127, 128) for f in (3, 0x55_5555, 0x2A_AAAB, 0x7F_FFFE, 0x01_8000)
    ]
    return np.array([s << 31 | p for s in (0, 1) for p in positive], dtype=np.uint32)


def corners16() -> U32:
    """About 200 bf16 patterns."""
    exponents = (0, 1, 2, 7, 8, 9, 62, 63, 64, 100, 119, 126, 127, 128, 135, 190, 191, 192, 253, 254, 255)
    positive = [e << 7 | f for e in exponents for f in (0, 1, 0x40, 0x7F)]
    positive += [127 << 7 | f for f in (2, 0x2A, 0x35, 0x55, 0x60, 0x61, 0x7E)]
    return np.array([s << 15 | p for s in (0, 1) for p in positive], dtype=np.uint32)


def pairs(values: U32) -> tuple[U32, U32]:
    """Return every ordered pair of ``values`` as two arrays."""
    return np.repeat(values, values.size), np.tile(values, values.size)


def random32(rng: np.random.Generator, count: int) -> tuple[Bits, Bits]:
    """Return random f32 pairs: any bits, near exponents, cancelling, bf16-shaped, near underflow."""
    a, b = rng.integers(0, 1 << 32, (2, count), dtype=np.uint32)
    kind = rng.integers(0, 5, count)
    shift = rng.integers(-28, 29, count)
    near = (a & 0x7FFF_FFFF).astype(np.int64) + (shift << 23) + rng.integers(-(1 << 23), 1 << 23, count)
    near = np.clip(near, 0, 0x7FFF_FFFF).astype(np.uint32) | (b & SIGN)
    cancel = (a ^ SIGN) + rng.integers(-4, 5, count).astype(np.uint32)
    low = np.uint32(0x81FF_FFFF)
    b = np.select([kind == 1, kind == 2], [near, cancel], b)
    a = np.select([kind == 3, kind == 4], [a & np.uint32(0xFFFF_0000), a & low], a)
    b = np.select([kind == 3, kind == 4], [b & np.uint32(0xFFFF_0000), b & low], b)
    return a, b


def check(function: str, a: Bits, b: Bits | int, got: Bits, want: Bits) -> None:
    """Compare bit patterns; the message names the first differences."""
    wrong = np.flatnonzero(got != want)
    second = np.broadcast_to(b, a.shape)
    shown = "\n".join(
        f"  {a[i]:08x} {second[i]:08x}: got {got[i]:08x}, want {want[i]:08x}" for i in wrong[:8]
    )
    assert wrong.size == 0, f"{function}: {wrong.size} of {a.size} differ\n{shown}"


def exactly(function: Callable[..., int], *arrays: Bits) -> U32:
    """Apply a scalar function of raw bits to arrays."""
    return np.array(
        [function(*values) for values in zip(*(x.tolist() for x in arrays), strict=True)], np.uint32
    )


def exact_add32(a: int, b: int) -> int:
    """Exact f32 sum."""
    return exact.add(a, b, exact.F32)


def exact_product32(a: int, b: int) -> int:
    """Exact f32 product of two bf16."""
    return exact.multiply(a, b, exact.BF16, exact.F32)


def test_fast_oracle_agrees_with_rationals() -> None:
    a, b = random32(np.random.default_rng(11), 20_000)
    check("numpy add", a, b, fast(np.add, a, b), exactly(exact_add32, a, b))
    check("ml_dtypes narrow", a, 0, fast_narrow(a), exactly(exact.f32_to_bf16, a))
    a, b = a >> 16, b >> 16
    check("numpy multiply", a, b, fast(np.multiply, a << 16, b << 16), exactly(exact_product32, a, b))


def test_f32_add_corners() -> None:
    a, b = pairs(corners32())
    want = exactly(exact_add32, a, b)
    check("numpy add", a, b, fast(np.add, a, b), want)
    check("f32_add", a, b, fp_bench.apply("f32_add", a, b), want)


def test_f32_add_random() -> None:
    a, b = random32(np.random.default_rng(1), RANDOM_PAIRS)
    check("f32_add", a, b, fp_bench.apply("f32_add", a, b), fast(np.add, a, b))


def test_product_corners() -> None:
    a, b = pairs(corners16())
    want = exactly(exact_product32, a, b)
    check("numpy multiply", a, b, fast(np.multiply, a << 16, b << 16), want)
    check("bf16_mul_f32", a, b, fp_bench.apply("bf16_mul_f32", a, b), want)


def test_product_random() -> None:
    a, b = np.random.default_rng(2).integers(0, 1 << 16, (2, RANDOM_PAIRS), dtype=np.uint32)
    want = fast(np.multiply, a << 16, b << 16)
    check("bf16_mul_f32", a, b, fp_bench.apply("bf16_mul_f32", a, b), want)


def test_conversions() -> None:
    every = np.arange(1 << 16, dtype=np.uint32)
    flushed = exactly(lambda bits: exact.flush(bits, exact.BF16), every)
    check("bf16_flush", every, 0, fp_bench.apply("bf16_flush", every), flushed)
    check("bf16_to_f32", every, 0, fp_bench.apply("bf16_to_f32", every), flushed << 16)
    # every bf16 with bits behind it that round down, tie and round up
    tails = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], dtype=np.uint32)
    wide = (every[:, None] << 16 | tails).ravel()
    check("f32_to_bf16", wide, 0, fp_bench.apply("f32_to_bf16", wide), fast_narrow(wide))
    few = np.concatenate([corners32(), wide[::101]])
    check("f32_to_bf16", few, 0, fp_bench.apply("f32_to_bf16", few), exactly(exact.f32_to_bf16, few))


def exact_sum16(a: int, b: int) -> int:
    """Isa.md's bf16 addition: the f32 sum, then bf16."""
    return exact.f32_to_bf16(exact.add(a << 16, b << 16, exact.F32))


def exact_difference16(a: int, b: int) -> int:
    """Isa.md's bf16 subtraction."""
    return exact_sum16(a, b ^ 0x8000)


def exact_product16(a: int, b: int) -> int:
    """Isa.md's bf16 multiplication: the f32 product, then bf16."""
    return exact.f32_to_bf16(exact_product32(a, b))


def exact_max(a: int, b: int) -> int:
    """Isa.md's maximum."""
    return exact.bf16_max(a, b)


def exact_min(a: int, b: int) -> int:
    """Isa.md's minimum."""
    return exact.bf16_min(a, b)


ELEMENTWISE = {
    "bf16_add": exact_sum16,
    "bf16_sub": exact_difference16,
    "bf16_mul": exact_product16,
    "bf16_max": exact_max,
    "bf16_min": exact_min,
}


@pytest.mark.parametrize("function", ELEMENTWISE)
def test_elementwise(function: str) -> None:
    a, b = pairs(corners16())
    more = np.random.default_rng(3).integers(0, 1 << 16, (2, 30_000), dtype=np.uint32)
    more[1, ::2] = (more[0, ::2] & 0x7F80) + (more[1, ::2] & 0x83FF) & 0xFFFF  # near exponents
    a, b = np.concatenate([a, more[0]]), np.concatenate([b, more[1]])
    check(function, a, b, fp_bench.apply(function, a, b), exactly(ELEMENTWISE[function], a, b))


SPECIAL_FUNCTIONS = {
    "exp": (fp_bench.EXP, exact.bf16_exp),
    "reciprocal": (fp_bench.RECIPROCAL, exact.bf16_reciprocal),
    "square_root": (fp_bench.SQUARE_ROOT, exact.bf16_sqrt),
}


@pytest.mark.parametrize("name", SPECIAL_FUNCTIONS)
@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_special_function(name: str, simulator: str) -> None:
    """All 65,536 inputs, correctly rounded."""
    code, oracle = SPECIAL_FUNCTIONS[name]
    every = np.arange(1 << 16, dtype=np.uint32)
    check(name, every, code, fp_bench.apply("sfu", every, code, simulator), exactly(oracle, every))


def test_special_function_values() -> None:
    """Values that isa.md names, and that the oracle must not be able to get wrong together with the RTL."""
    x = np.array([0xFF80, 0x0000, 0x8000, 0x8001, 0x7F80, 0x3F80, 0xFFA5, 0x42B1, 0x42B2], dtype=np.uint32)
    e = [0x0000, 0x3F80, 0x3F80, 0x3F80, 0x7F80, 0x402E, 0x7FC0, 0x7F4D, 0x7F80]
    assert fp_bench.apply("sfu", x, fp_bench.EXP).tolist() == e
    x = np.array([0x0000, 0x8000, 0x807F, 0x7F80, 0xFF80, 0x4000, 0x7F00, 0x7E80, 0x7E81], dtype=np.uint32)
    r = [0x7F80, 0xFF80, 0xFF80, 0x0000, 0x8000, 0x3F00, 0x0000, 0x0080, 0x0000]
    assert fp_bench.apply("sfu", x, fp_bench.RECIPROCAL).tolist() == r
    x = np.array([0x0000, 0x8000, 0x8001, 0x0001, 0xBF80, 0xFF80, 0x7F80, 0x4080, 0x4110], dtype=np.uint32)
    s = [0x0000, 0x8000, 0x8000, 0x0000, 0x7FC0, 0x7FC0, 0x7F80, 0x4000, 0x4040]
    assert fp_bench.apply("sfu", x, fp_bench.SQUARE_ROOT).tolist() == s


@pytest.mark.parametrize("function", ["f32_add", "bf16_mul_f32", "f32_to_bf16"])
def test_icarus_agrees(function: str) -> None:
    """A few thousand vectors on the other simulator, against the rationals."""
    a, b = random32(np.random.default_rng(4), 3_000)
    if function == "bf16_mul_f32":
        a, b = a >> 16, b >> 16
        want = exactly(exact_product32, a, b)
    elif function == "f32_add":
        want = exactly(exact_add32, a, b)
    else:
        want = exactly(exact.f32_to_bf16, a)
    check(function, a, b, fp_bench.apply(function, a, b, simulator="icarus"), want)


def test_tables_are_up_to_date() -> None:
    """The constant tables in plena_fp.sv are what their generator writes."""
    script = simulate.REPO / "scripts" / "gen_float_tables.py"
    subprocess.run([sys.executable, str(script), "--check"], check=True)
