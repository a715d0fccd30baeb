"""MXFP8: elements, scales and blocks."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from tb.oracle.numbers import BF16, floor_log2, read, round_to


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
_E4M3_MAGNITUDES = [value for byte in range(0x7F) if (value := e4m3_value(byte)) is not None]


def e4m3_round(magnitude: Fraction) -> int:
    """The element byte nearest to `magnitude`, ties to the even byte, by trying all of them."""
    return min(range(0x7F), key=lambda byte: (abs(_E4M3_MAGNITUDES[byte] - magnitude), byte & 1))


def mx_element(bits: int, scale: int) -> int:
    """The element byte of a finite bf16 bit pattern under a scale byte."""
    number = read(bits, BF16)
    factor = Fraction(2) ** (127 - scale)
    return (0x80 if number.negative else 0) | e4m3_round(abs(number.value) * factor)


def encoded(
    block: list[int], scale_of: Callable[[Fraction], int], element_of: Callable[[int, int], int]
) -> tuple[list[int], int]:
    """Element bytes and scale byte of one block of bf16 bit patterns.

    Args:
        block: the bit patterns.
        scale_of: the scale byte of a block, from its largest magnitude.
        element_of: the element byte of a finite bit pattern under a scale byte.
    """
    numbers = [read(bits, BF16) for bits in block]
    if any(number.kind in ("nan", "inf") for number in numbers):
        return [0x7F] * len(block), 0xFF
    scale = scale_of(max(abs(number.value) for number in numbers))
    return [element_of(bits, scale) for bits in block], scale


def mx_encode(block: list[int]) -> tuple[list[int], int]:
    """Element bytes and scale byte of one block of bf16 bit patterns."""
    return encoded(block, mx_scale, mx_element)
