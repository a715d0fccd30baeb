"""bf16 and f32 arithmetic of the PLENA machine, bit for bit (docs/isa.md, "Numbers").

bf16 values travel as raw `uint16` bit patterns, f32 values as `numpy.float32`. Every arithmetic function
treats subnormal inputs as zero of the same sign, does one IEEE round-to-nearest-even step at a time, flushes
a subnormal result before it is rounded further, and returns the one canonical NaN. All rounding is done by
numpy (f32) and ml_dtypes (bf16); nothing here rounds by hand.

Callers that work on infinities or NaN should hold `numpy.errstate(all="ignore")`: numpy reports overflow and
invalid operations, which are ordinary results here.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
from numpy.typing import ArrayLike, NDArray

U16 = NDArray[np.uint16]
F32 = NDArray[np.float32]

BF16_NAN = 0x7FC0
BF16_POS_INF = 0x7F80
BF16_NEG_INF = 0xFF80
F32_NAN = 0x7FC0_0000

#: Smallest normal magnitude of bf16 and f32 alike; anything below it is a zero.
TINY = 2.0**-126

_MAGNITUDE = np.uint32(0x7FFF_FFFF)
_F32_INFINITY = np.uint32(0x7F80_0000)
_F32_TINY = np.uint32(0x0080_0000)
# A finite f32 of magnitude 2^-103 or more is a whole multiple of 2^-126, and so is any rounded sum of such
# values: a sum of them is zero or normal, never subnormal.
_F32_GRID = np.uint32((127 - 103) << 23)


def f32_flush(x: ArrayLike) -> F32:
    """A new array: float32 `x` with subnormals made zero of the same sign and NaN made 0x7FC00000."""
    bits = np.array(x, dtype=np.float32, ndmin=1).view(np.uint32)
    magnitude = bits & _MAGNITUDE
    bits[magnitude < _F32_TINY] &= ~_MAGNITUDE
    bits[magnitude > _F32_INFINITY] = F32_NAN
    return bits.view(np.float32).reshape(np.shape(x))


def _flushed_f32_of_every_bf16() -> F32:
    return f32_flush((np.arange(1 << 16, dtype=np.uint32) << 16).view(np.float32))


#: float32[65536]: the flushed, canonical f32 value of each bf16 bit pattern.
BF16_TO_F32: F32 = _flushed_f32_of_every_bf16()
BF16_TO_F32.setflags(write=False)


def bf16_to_f32(bits: U16) -> F32:
    """f32 values of raw bf16 `bits` (uint16, any shape): subnormals are signed zeros, NaN is canonical."""
    return BF16_TO_F32.take(bits)


def f32_to_bf16(x: F32) -> U16:
    """Raw bf16 bits of `x` (float32, any shape): flushed first, then rounded once to nearest even."""
    x = np.asarray(x, dtype=np.float32)
    bits = x.astype(ml_dtypes.bfloat16).view(np.uint16)
    magnitude = x.view(np.uint32) & _MAGNITUDE
    bits = np.where(magnitude < _F32_TINY, bits & np.uint16(0x8000), bits)
    return np.where(magnitude > _F32_INFINITY, np.uint16(BF16_NAN), bits)


def bf16_from_float(x: ArrayLike) -> U16:
    """Raw bf16 bits of float64 values of any shape, by way of f32: for staging data, not for arithmetic."""
    return f32_to_bf16(np.asarray(x, dtype=np.float32))


def bf16_flush(bits: U16) -> U16:
    """Raw bf16 `bits` with subnormals made zero of the same sign and NaN made 0x7FC0."""
    return _FLUSHED.take(bits)


def f32_add(a: F32, b: F32) -> F32:
    """One f32 addition of `a` and `b` (float32, broadcast): flushed operands, flushed canonical result."""
    return f32_flush(f32_flush(a) + f32_flush(b))


def f32_mul(a: F32, b: F32) -> F32:
    """One f32 multiplication of `a` and `b` (float32, broadcast), as `f32_add`."""
    return f32_flush(f32_flush(a) * f32_flush(b))


def bf16_add(a: U16, b: U16) -> U16:
    """a + b on raw bf16 bits: one f32 addition, flush, one rounding."""
    return f32_to_bf16(bf16_to_f32(a) + bf16_to_f32(b))


def bf16_sub(a: U16, b: U16) -> U16:
    """a - b on raw bf16 bits: one f32 subtraction, flush, one rounding."""
    return f32_to_bf16(bf16_to_f32(a) - bf16_to_f32(b))


def bf16_mul(a: U16, b: U16) -> U16:
    """a * b on raw bf16 bits: one f32 multiplication, flush, one rounding."""
    return f32_to_bf16(bf16_to_f32(a) * bf16_to_f32(b))


def bf16_max(a: U16 | int, b: U16 | int) -> U16:
    """The larger of raw bf16 `a` and `b`, flushed: any NaN operand gives NaN, and +0 is larger than -0."""
    return _OF_KEY.take(np.maximum(_MAX_KEY.take(a), _MAX_KEY.take(b)))


def bf16_min(a: U16, b: U16) -> U16:
    """The smaller of raw bf16 `a` and `b`, flushed: any NaN operand gives NaN, and -0 is smaller than +0."""
    return _OF_KEY.take(np.minimum(_MIN_KEY.take(a), _MIN_KEY.take(b)))


def bf16_max_reduce(bits: U16) -> int:
    """`bf16_max` over all elements of a one-dimensional, non-empty array of raw bf16 bits."""
    return int(_OF_KEY[_MAX_KEY.take(bits).max()])


def bf16_exp(bits: U16) -> U16:
    """e to the power x for raw bf16 x: the correctly rounded result of the flushed input."""
    return BF16_EXP.take(bits)


def bf16_reciprocal(bits: U16) -> U16:
    """1 / x for raw bf16 x: the correctly rounded result of the flushed input; 1/+-0 = +-inf."""
    return BF16_RECIPROCAL.take(bits)


def bf16_sqrt(bits: U16) -> U16:
    """Square root of raw bf16 x: the correctly rounded result of the flushed input; -0 stays, x < 0: NaN."""
    return BF16_SQRT.take(bits)


def on_f32_grid(x: F32) -> bool:
    """True when every element is zero, NaN, or of magnitude 2^-103 or more: then no sum is subnormal."""
    magnitude = x.view(np.uint32) & _MAGNITUDE
    # Zero wraps round to the largest value and passes.
    return not ((magnitude - np.uint32(1)) < _F32_GRID - np.uint32(1)).any()


def tree_sum(x: F32) -> F32:
    """Sum over the last axis (a power of two long) in f32 by a balanced binary tree, neighbours first.

    Each addition is one f32 step with a flushed result. `x` itself must be flushed. The sum of one element is
    that element. NaN results may carry any payload; `f32_to_bf16` makes them canonical.
    """
    exact_zero_only = on_f32_grid(x)
    while x.shape[-1] > 1:
        x = x[..., 0::2] + x[..., 1::2]
        if not exact_zero_only:
            x = f32_flush(x)
    return x[..., 0]


def _table(values: NDArray[np.float64]) -> U16:
    """A read-only bf16 table from float64 results, rounded through f32."""
    table = f32_to_bf16(values.astype(np.float32))
    table.setflags(write=False)
    return table


def _order_keys(nan_key: int) -> U16:
    """uint16[65536]: keys that order bf16 patterns as numbers, -0 below +0, with NaN at `nan_key`."""
    bits = _FLUSHED
    keys = np.where(bits & 0x8000, 0xFFFF - bits.astype(np.int64), bits.astype(np.int64) | 0x8000)
    return np.where(bits == BF16_NAN, nan_key, keys).astype(np.uint16)


def _bits_of_keys() -> U16:
    """uint16[65536]: the inverse of `_order_keys`, for both places of NaN."""
    table = np.full(1 << 16, BF16_NAN, dtype=np.uint16)
    numbers = np.flatnonzero(_FLUSHED != BF16_NAN)
    table[_MAX_KEY[numbers]] = _FLUSHED[numbers]
    return table


with np.errstate(all="ignore"):
    _EVERY_BF16 = BF16_TO_F32.astype(np.float64)
    _FLUSHED = f32_to_bf16(BF16_TO_F32)
    #: uint16[65536] each: exp, 1/x and the square root of every bf16 bit pattern.
    BF16_EXP: U16 = _table(np.exp(_EVERY_BF16))
    BF16_RECIPROCAL: U16 = _table(1.0 / _EVERY_BF16)
    BF16_SQRT: U16 = _table(np.sqrt(_EVERY_BF16))
_MAX_KEY = _order_keys(nan_key=0xFFFF)
_MIN_KEY = _order_keys(nan_key=0x0000)
_OF_KEY = _bits_of_keys()

_round_cell = np.zeros(1, dtype=ml_dtypes.bfloat16)
_round_bits = _round_cell.view(np.uint16)


def scalar_to_bf16(x: np.float32) -> int:
    """`f32_to_bf16` of one float32 scalar as a Python int: for the scalar unit, where arrays are slow."""
    value = float(x)
    if -TINY < value < TINY:
        return 0x8000 if np.signbit(x) else 0
    if value != value:
        return BF16_NAN
    _round_cell[0] = value
    return _round_bits.item()
