"""MXFP8 by the rules of PLENA's own tools: elements, scales and blocks, as exact rationals."""

from __future__ import annotations

from fractions import Fraction

from tb.oracle.mxfp8 import encoded
from tb.oracle.numbers import BF16, floor_log2, read, round_to

#: 1e-9 as f32 has it: what is added to a block's maximum.
EPSILON = Fraction(9_007_199, 2**53)
BIAS = 7


def plena_decode(element: int, scale: int) -> int:
    """bf16 bits of an element byte with its E8M0 scale byte."""
    exponent, mantissa = element >> 3 & 0xF, element & 7
    if scale == 0xFF or (exponent == 0xF and mantissa):
        return BF16.nan
    if exponent == 0xF:
        return (element & 0x80) << 8 | 0x7F80
    # An exponent of 0 keeps the bias; it only has no hidden bit.
    fraction = Fraction(mantissa, 8) + (1 if exponent else 0)
    value = fraction * Fraction(2) ** (exponent - BIAS + scale - 127)
    negative = bool(element & 0x80)
    return round_to(-value if negative else value, BF16, negative)


def plena_scale(magnitude: Fraction) -> int:
    """Scale byte of a block with largest magnitude a: floor(log2(a + 1e-9)), biased by 127."""
    return floor_log2(magnitude + EPSILON) + 127


def plena_element(bits: int, scale: int) -> int:
    """The element byte of a finite bf16 bit pattern under a scale byte."""
    number = read(bits, BF16)
    sign = 0x80 if number.negative else 0
    magnitude = abs(number.value) * Fraction(2) ** (127 - scale)
    exponent = max(floor_log2(magnitude), -BIAS) if magnitude else -BIAS
    if exponent > 7:
        return sign | 0x77
    hidden = 0 if exponent == -BIAS else 1
    steps = 8 * (magnitude / Fraction(2) ** exponent - hidden)
    quarters = 4 * steps // 1
    # Fraction rounds a half to the even number.
    mantissa = min(round(Fraction(quarters, 4)), 7)
    return sign | (exponent + BIAS) << 3 | mantissa


def plena_encode(block: list[int]) -> tuple[list[int], int]:
    """Element bytes and scale byte of one block of bf16 bit patterns."""
    return encoded(block, plena_scale, plena_element)
