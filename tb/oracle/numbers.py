"""The two binary formats, the number that a bit pattern stands for, and the one rounding routine."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


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


def flush(bits: int, form: Format) -> int:
    """A bit pattern with a subnormal as zero of its sign and NaN as the canonical one."""
    number = read(bits, form)
    if number.kind == "nan":
        return form.nan
    return bits & form.sign if number.kind == "zero" else bits
