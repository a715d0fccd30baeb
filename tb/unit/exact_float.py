"""Exact oracle of the arithmetic tests: rational numbers and one rounding routine (docs/isa.md section 7).

Nothing here knows how the RTL or its tables are made. Values are raw bits on the outside; inside, a finite
number is a ``Fraction`` (the sign of zero travels beside it), and infinities and NaN are strings.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt


@dataclass(frozen=True)
class Format:
    """A binary format with 8 exponent bits and ``fraction_bits`` behind the leading one."""

    fraction_bits: int

    @property
    def width(self) -> int:
        """Bits of the encoding."""
        return 9 + self.fraction_bits

    @property
    def infinity(self) -> int:
        """Encoding of +infinity."""
        return 0xFF << self.fraction_bits

    @property
    def nan(self) -> int:
        """Encoding of the one NaN."""
        return self.infinity | 1 << (self.fraction_bits - 1)


BF16 = Format(7)
F32 = Format(23)
SMALLEST = Fraction(1, 1 << 126)  # smallest normal number of both formats


def split(bits: int, form: Format) -> tuple[int, Fraction | str]:
    """Return (sign, magnitude) of raw bits; a subnormal is zero; "inf" and "nan" stand for themselves."""
    sign = bits >> (form.width - 1) & 1
    exponent = bits >> form.fraction_bits & 0xFF
    fraction = bits & ((1 << form.fraction_bits) - 1)
    if exponent == 0xFF:
        return sign, "nan" if fraction else "inf"
    if exponent == 0:
        return sign, Fraction(0)
    significand = Fraction((1 << form.fraction_bits) + fraction, 1 << form.fraction_bits)
    return sign, significand * Fraction(2) ** (exponent - 127)


def round_to(sign: int, magnitude: Fraction, form: Format) -> int:
    """Round to nearest even; a subnormal (before rounding) becomes zero, overflow infinity."""
    top = sign << (form.width - 1)
    if magnitude < SMALLEST:
        return top
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if Fraction(2) ** exponent > magnitude:
        exponent -= 1
    scaled = magnitude * Fraction(2) ** (form.fraction_bits - exponent)
    whole = round(scaled)  # ties to even
    code = (exponent + 126 << form.fraction_bits) + whole
    return top | min(code, form.infinity)


def add(a: int, b: int, form: Format) -> int:
    """Return a + b, one rounding."""
    (sa, ma), (sb, mb) = split(a, form), split(b, form)
    if ma == "nan" or mb == "nan" or (ma == mb == "inf" and sa != sb):
        return form.nan
    if ma == "inf" or mb == "inf":
        return (sa if ma == "inf" else sb) << (form.width - 1) | form.infinity
    total = (-ma if sa else ma) + (-mb if sb else mb)
    if total == 0:
        return (sa & sb) << (form.width - 1)
    return round_to(int(total < 0), abs(total), form)


def multiply(a: int, b: int, form: Format, result: Format) -> int:
    """Return a * b of two ``form`` numbers, rounded once to ``result``."""
    (sa, ma), (sb, mb) = split(a, form), split(b, form)
    sign = sa ^ sb
    if ma == "nan" or mb == "nan":
        return result.nan
    if ma == "inf" or mb == "inf":
        return result.nan if 0 in (ma, mb) else sign << (result.width - 1) | result.infinity
    return round_to(sign, ma * mb, result)


def narrow(bits: int) -> int:
    """Return an f32 as bf16."""
    sign, magnitude = split(bits, F32)
    if magnitude == "nan":
        return BF16.nan
    if magnitude == "inf":
        return sign << 15 | BF16.infinity
    return round_to(sign, magnitude, BF16)


def flush(bits: int, form: Format = BF16) -> int:
    """Return the value with subnormals as zero and NaN as the one NaN."""
    sign, magnitude = split(bits, form)
    if magnitude == "nan":
        return form.nan
    return sign << (form.width - 1) if magnitude == 0 else bits


def extreme(a: int, b: int, largest: bool) -> int:
    """Return the larger (or smaller) of two bf16; NaN wins over everything; -0 < +0."""
    operands = [flush(a), flush(b)]
    if BF16.nan in operands:
        return BF16.nan

    def rank(bits: int) -> tuple[Fraction, int]:
        sign, magnitude = split(bits, BF16)
        value = Fraction(1 << 200) if magnitude == "inf" else Fraction(magnitude)
        return (-value if sign else value), -sign

    return max(operands, key=rank) if largest else min(operands, key=rank)


_POINT = 256  # fraction bits of the interval arithmetic below; every |bf16| / 1024 is exact in it


def _exp_bounds(x: Fraction) -> tuple[Fraction, Fraction]:
    """Return bounds of exp(x), 0 <= x <= 128: Taylor series of x / 1024, squared ten times."""
    one = 1 << _POINT
    r = int(x * one) >> 10
    assert Fraction(r, one) * 1024 == x
    low = high = 0
    term_low = term_high = one
    n = 0
    while term_high > 1:
        low += term_low
        high += term_high
        n += 1
        term_low = term_low * r // (one * n)
        term_high = -(-term_high * r // (one * n))
    high += 2 * term_high  # the rest of the series is smaller than twice its first term, as r < 1/2
    for _ in range(10):
        low = low * low >> _POINT
        high = -(-high * high >> _POINT)
    return Fraction(low, one), Fraction(high, one)


def exp(bits: int) -> int:
    """Return the correctly rounded bf16 of exp(x); fails if the interval does not decide the rounding."""
    sign, magnitude = split(bits, BF16)
    if magnitude == "nan":
        return BF16.nan
    if magnitude == "inf" or magnitude > 128:  # exp(128) > 2^128 and exp(-128) < 2^-127
        return 0 if sign else BF16.infinity
    low, high = _exp_bounds(Fraction(magnitude))
    if sign:
        low, high = 1 / high, 1 / low
    rounded = round_to(0, low, BF16)
    assert rounded == round_to(0, high, BF16)
    return rounded


def reciprocal(bits: int) -> int:
    """Return the correctly rounded bf16 of 1 / x."""
    sign, magnitude = split(bits, BF16)
    if magnitude == "nan":
        return BF16.nan
    if magnitude == "inf":
        return sign << 15
    if magnitude == 0:
        return sign << 15 | BF16.infinity
    return round_to(sign, 1 / magnitude, BF16)


def square_root(bits: int) -> int:
    """Return the correctly rounded bf16 of the square root of x, by an integer root of 200 bits or more."""
    sign, magnitude = split(bits, BF16)
    if magnitude == 0:
        return sign << 15
    if magnitude == "nan" or sign:
        return BF16.nan
    if magnitude == "inf":
        return BF16.infinity
    scaled = magnitude * (1 << 400)
    assert scaled.denominator == 1
    root = isqrt(scaled.numerator)
    exact = root * root == scaled.numerator
    # anything strictly between root and root + 1 rounds alike: both neighbours have far more bits than bf16
    return round_to(0, Fraction(2 * root + (not exact), 1 << 201), BF16)


def e4m3(code: int) -> Fraction:
    """Return the magnitude of a finite E4M3 code 0..0x7E."""
    exponent, fraction = code >> 3, code & 7
    if exponent == 0:
        return Fraction(fraction, 512)
    return Fraction(8 + fraction, 8) * Fraction(2) ** (exponent - 7)


def mx_decode(element: int, scale: int) -> int:
    """Return element * 2^(scale - 127) as bf16."""
    if scale == 0xFF or element & 0x7F == 0x7F:
        return BF16.nan
    return round_to(element >> 7, e4m3(element & 0x7F) * Fraction(2) ** (scale - 127), BF16)


_SCALE_LIMITS = [448 * Fraction(2) ** (scale - 127) for scale in range(0xFF)]


def mx_scale(largest: Fraction) -> int:
    """Return the least scale byte s <= 254 with largest <= 448 * 2^(s - 127)."""
    return min(bisect_left(_SCALE_LIMITS, largest), 0xFE)


_CODES = [e4m3(code) for code in range(0x7F)]


def mx_element(bits: int, scale: int) -> int:
    """Return the E4M3 code nearest to x / 2^(scale - 127), ties to the even code."""
    sign, magnitude = split(bits, BF16)
    assert not isinstance(magnitude, str)
    target = magnitude / Fraction(2) ** (scale - 127)
    return sign << 7 | min(range(0x7F), key=lambda code: (abs(_CODES[code] - target), code & 1))


def mx_encode(block: list[int]) -> tuple[int, list[int]]:
    """Return (scale byte, element bytes) of a block of bf16."""
    values = [split(bits, BF16)[1] for bits in block]
    if any(isinstance(value, str) for value in values):
        return 0xFF, [0x7F] * len(block)
    scale = mx_scale(max(Fraction(value) for value in values))
    return scale, [mx_element(bits, scale) for bits in block]
