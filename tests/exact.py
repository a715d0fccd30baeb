"""Exact arithmetic to judge the machine's numbers by: rationals and intervals, and one rounding routine.

Nothing here uses numpy, ml_dtypes or Python floats. Bit patterns are plain integers. Every function follows
the number rules of docs/isa.md: subnormals are zero of the same sign on the way in and out, NaN is canonical.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt


@dataclass(frozen=True)
class Format:
    """A binary format with 8 exponent bits: `precision` significant bits, in `width` bits."""

    width: int
    precision: int

    @property
    def fraction_bits(self) -> int:
        """Stored significand bits."""
        return self.precision - 1

    @property
    def infinity(self) -> int:
        """Bit pattern of +infinity."""
        return 0xFF << self.fraction_bits

    @property
    def nan(self) -> int:
        """Bit pattern of the canonical NaN."""
        return self.infinity | 1 << (self.fraction_bits - 1)

    @property
    def sign(self) -> int:
        """The sign bit."""
        return 1 << (self.width - 1)


BF16 = Format(16, 8)
F32 = Format(32, 24)
EMIN, EMAX = -126, 127


@dataclass(frozen=True)
class Number:
    """A flushed operand: its kind is "nan", "inf", "zero" or "finite"; `value` is signed."""

    kind: str
    negative: bool
    value: Fraction


def read(bits: int, fmt: Format) -> Number:
    """The number that `bits` stand for, subnormals being zero."""
    negative = bool(bits & fmt.sign)
    magnitude = bits & (fmt.sign - 1)
    exponent, fraction = magnitude >> fmt.fraction_bits, magnitude & ((1 << fmt.fraction_bits) - 1)
    if exponent == 0xFF:
        return Number("nan" if fraction else "inf", negative, Fraction(0))
    if exponent == 0:
        return Number("zero", negative, Fraction(0))
    significand = fraction | 1 << fmt.fraction_bits
    value = Fraction(significand) * Fraction(2) ** (exponent - 127 - fmt.fraction_bits)
    return Number("finite", negative, -value if negative else value)


def floor_log2(value: Fraction) -> int:
    """The largest e with 2^e <= value, for value > 0."""
    e = value.numerator.bit_length() - value.denominator.bit_length()
    return e if Fraction(2) ** e <= value else e - 1


def round_half_even(value: Fraction) -> int:
    """The nearest integer, ties to even, of a non-negative value."""
    low, rest = divmod(value.numerator, value.denominator)
    twice = 2 * rest - value.denominator
    return low + (1 if twice > 0 or (twice == 0 and low & 1) else 0)


def round_to(value: Fraction, fmt: Format, negative_zero: bool = False) -> int:
    """Bits of `value` rounded to nearest even; too large is infinity, and a subnormal result is zero.

    `negative_zero` is the sign of an exact zero. The rounding is that of IEEE 754: below 2^-126 to multiples
    of the smallest subnormal, and only what is still below 2^-126 then becomes zero.
    """
    sign = fmt.sign if value < 0 or (value == 0 and negative_zero) else 0
    value = abs(value)
    if value == 0:
        return sign
    exponent = max(floor_log2(value), EMIN)
    quantum = exponent - fmt.fraction_bits
    significand = round_half_even(value / Fraction(2) ** quantum)
    if significand == 1 << fmt.precision:
        significand >>= 1
        exponent += 1
    if exponent > EMAX:
        return sign | fmt.infinity
    if significand < 1 << fmt.fraction_bits:
        return sign
    return sign | (exponent + 127) << fmt.fraction_bits | significand - (1 << fmt.fraction_bits)


def f32_add(a: int, b: int) -> int:
    """One f32 addition on bit patterns."""
    x, y = read(a, F32), read(b, F32)
    if "nan" in (x.kind, y.kind) or (x.kind == y.kind == "inf" and x.negative != y.negative):
        return F32.nan
    for operand in (x, y):
        if operand.kind == "inf":
            return F32.infinity | (F32.sign if operand.negative else 0)
    both_negative_zero = x.kind == y.kind == "zero" and x.negative and y.negative
    return round_to(x.value + y.value, F32, both_negative_zero)


def f32_mul(a: int, b: int) -> int:
    """One f32 multiplication on bit patterns."""
    x, y = read(a, F32), read(b, F32)
    kinds = {x.kind, y.kind}
    negative = x.negative != y.negative
    if "nan" in kinds or kinds == {"inf", "zero"}:
        return F32.nan
    if "inf" in kinds:
        return F32.infinity | (F32.sign if negative else 0)
    return round_to(x.value * y.value, F32, negative)


def f32_to_bf16(bits: int) -> int:
    """An f32 bit pattern flushed, then rounded to bf16."""
    x = read(bits, F32)
    if x.kind == "nan":
        return BF16.nan
    if x.kind == "inf":
        return BF16.infinity | (BF16.sign if x.negative else 0)
    return round_to(x.value, BF16, x.negative)


def bf16_to_f32(bits: int) -> int:
    """A bf16 bit pattern as f32: flushed, canonical NaN."""
    x = read(bits, BF16)
    if x.kind == "nan":
        return F32.nan
    return (bits & BF16.sign) << 16 if x.kind == "zero" else bits << 16


def bf16_add(a: int, b: int) -> int:
    """a + b on bf16 bit patterns through one f32 step."""
    return f32_to_bf16(f32_add(a << 16, b << 16))


def bf16_sub(a: int, b: int) -> int:
    """a - b on bf16 bit patterns through one f32 step."""
    return f32_to_bf16(f32_add(a << 16, (b ^ BF16.sign) << 16))


def bf16_mul(a: int, b: int) -> int:
    """a * b on bf16 bit patterns through one f32 step."""
    return f32_to_bf16(f32_mul(a << 16, b << 16))


def bf16_max(a: int, b: int) -> int:
    """max on bf16 bit patterns: NaN propagates, +0 > -0."""
    return _extreme(a, b, 1)


def bf16_min(a: int, b: int) -> int:
    """min on bf16 bit patterns: NaN propagates, -0 < +0."""
    return _extreme(a, b, -1)


def _extreme(a: int, b: int, direction: int) -> int:
    if "nan" in (read(a, BF16).kind, read(b, BF16).kind):
        return BF16.nan

    def order(bits: int) -> tuple[Fraction, int]:
        x = read(bits, BF16)
        value = Fraction(2) ** 200 * (-1 if x.negative else 1) if x.kind == "inf" else x.value
        return direction * value, -direction if x.negative else direction

    winner = a if order(a) >= order(b) else b
    return f32_to_bf16(winner << 16)


def bf16_reciprocal(bits: int) -> int:
    """1/x of a bf16 bit pattern, correctly rounded."""
    x = read(bits, BF16)
    sign = BF16.sign if x.negative else 0
    if x.kind == "nan":
        return BF16.nan
    if x.kind == "zero":
        return sign | BF16.infinity
    return sign if x.kind == "inf" else round_to(1 / x.value, BF16)


def bf16_sqrt(bits: int) -> int:
    """Square root of a bf16 bit pattern, correctly rounded."""
    x = read(bits, BF16)
    if x.kind == "zero":
        return bits & BF16.sign
    if x.kind == "nan" or x.negative:
        return BF16.nan
    if x.kind == "inf":
        return BF16.infinity
    # Between isqrt and isqrt + 1 of the value scaled by an even power of two.
    scale = 400
    scaled = x.value * 2**scale
    assert scaled.denominator == 1
    low = isqrt(scaled.numerator)
    high = low if low * low == scaled.numerator else low + 1
    return _agreed(Fraction(low, 1 << scale // 2), Fraction(high, 1 << scale // 2))


def bf16_exp(bits: int) -> int:
    """e^x of a bf16 bit pattern, correctly rounded."""
    x = read(bits, BF16)
    if x.kind == "nan":
        return BF16.nan
    if x.kind == "zero":
        return round_to(Fraction(1), BF16)
    # 2^|x| < e^|x|: from 128 on, the result is past the largest bf16 or below half the smallest normal.
    if x.kind == "inf" or abs(x.value) >= 128:
        return 0 if x.negative else BF16.infinity
    low, high = exp_bounds(abs(x.value))
    return _agreed(1 / high, 1 / low) if x.negative else _agreed(low, high)


def exp_bounds(x: Fraction, bits: int = 256) -> tuple[Fraction, Fraction]:
    """Rational bounds of e^x for 0 <= x < 128, in fixed point with `bits` fractional bits.

    e^x = (e^(x / 2^k))^(2^k) with x / 2^k < 1/8: a Taylor series whose remainder is less than twice its first
    omitted term, then k squarings, all rounded outwards.
    """
    halvings = 10
    one = 1 << bits
    argument = x / 2**halvings
    low_x = argument.numerator * one // argument.denominator
    high_x = low_x if low_x * argument.denominator == argument.numerator * one else low_x + 1
    low = high = low_term = high_term = one
    n = 0
    while high_term > 1:
        n += 1
        low_term = low_term * low_x // (one * n)
        high_term = -(-high_term * high_x // (one * n))
        low += low_term
        high += high_term
    high += 2 * high_term
    for _ in range(halvings):
        low = low * low >> bits
        high = -(-high * high >> bits)
    return Fraction(low, one), Fraction(high, one)


def _agreed(low: Fraction, high: Fraction) -> int:
    """The one bf16 that both ends of an interval round to."""
    rounded = round_to(low, BF16)
    if round_to(high, BF16) != rounded:
        raise ArithmeticError("the interval is too wide to tell which way it rounds")
    return rounded


def tree_sum(values: list[int]) -> int:
    """f32 bit patterns added in a balanced binary tree, neighbours first."""
    while len(values) > 1:
        values = [f32_add(a, b) for a, b in zip(values[0::2], values[1::2], strict=True)]
    return values[0]


def e4m3_value(byte: int) -> Fraction | None:
    """Magnitude of an OCP E4M3 element byte, or None for NaN."""
    exponent, mantissa = byte >> 3 & 0xF, byte & 7
    if byte & 0x7F == 0x7F:
        return None
    if exponent == 0:
        return Fraction(mantissa, 8) * Fraction(2) ** -6
    return (1 + Fraction(mantissa, 8)) * Fraction(2) ** (exponent - 7)


def mx_decode(element: int, scale: int) -> int:
    """bf16 bits of an MXFP8 element with its E8M0 scale byte."""
    magnitude = e4m3_value(element)
    if magnitude is None or scale == 0xFF:
        return BF16.nan
    negative = bool(element & 0x80)
    value = magnitude * Fraction(2) ** (scale - 127)
    return round_to(-value if negative else value, BF16, negative)


def mx_scale(magnitude: Fraction) -> int:
    """Scale byte of a block with largest magnitude a: ceil(log2(a / 448)) clamped, biased by 127."""
    if magnitude == 0:
        return 0
    ratio = magnitude / 448
    exponent = floor_log2(ratio)
    if Fraction(2) ** exponent < ratio:
        exponent += 1
    return min(max(exponent, -127), 127) + 127


#: Magnitude of each finite element byte.
_E4M3_MAGNITUDES = [e4m3_value(byte) for byte in range(0x7F)]


def e4m3_round(magnitude: Fraction) -> int:
    """The element byte nearest to `magnitude`, ties to the even byte, by trying all of them."""
    return min(range(0x7F), key=lambda byte: (abs(_E4M3_MAGNITUDES[byte] - magnitude), byte & 1))


def mx_encode(block: list[int]) -> tuple[list[int], int]:
    """Element bytes and scale byte of one block of bf16 bit patterns."""
    numbers = [read(bits, BF16) for bits in block]
    if any(number.kind in ("nan", "inf") for number in numbers):
        return [0x7F] * len(block), 0xFF
    scale = mx_scale(max(abs(number.value) for number in numbers))
    factor = Fraction(2) ** (127 - scale)
    signs = [0x80 if number.negative else 0 for number in numbers]
    elements = [
        sign | e4m3_round(abs(number.value) * factor) for sign, number in zip(signs, numbers, strict=True)
    ]
    return elements, scale
