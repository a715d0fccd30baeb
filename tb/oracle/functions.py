"""Reciprocal, square root and exponential of bf16, correctly rounded."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from tb.oracle.numbers import BF16, read, round_to


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
