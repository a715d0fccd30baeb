"""Sums, products, conversions and extremes on bit patterns."""

from __future__ import annotations

from fractions import Fraction

from tb.oracle.numbers import BF16, F32, Format, read, round_to


def add(a: int, b: int, form: Format) -> int:
    """a + b, rounded once."""
    x, y = read(a, form), read(b, form)
    if "nan" in (x.kind, y.kind) or (x.kind == y.kind == "inf" and x.negative != y.negative):
        return form.nan
    for operand in (x, y):
        if operand.kind == "inf":
            return form.infinity | (form.sign if operand.negative else 0)
    both_negative_zero = x.kind == y.kind == "zero" and x.negative and y.negative
    return round_to(x.value + y.value, form, both_negative_zero)


def multiply(a: int, b: int, form: Format, result: Format) -> int:
    """a * b of two `form` numbers, rounded once to `result`."""
    x, y = read(a, form), read(b, form)
    kinds = {x.kind, y.kind}
    negative = x.negative != y.negative
    if "nan" in kinds or kinds == {"inf", "zero"}:
        return result.nan
    if "inf" in kinds:
        return result.infinity | (result.sign if negative else 0)
    return round_to(x.value * y.value, result, negative)


def f32_add(a: int, b: int) -> int:
    """One f32 addition on bit patterns."""
    return add(a, b, F32)


def f32_mul(a: int, b: int) -> int:
    """One f32 multiplication on bit patterns."""
    return multiply(a, b, F32, F32)


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


def tree_sum(values: list[int]) -> int:
    """f32 bit patterns added in a balanced binary tree, neighbours first."""
    while len(values) > 1:
        values = [f32_add(a, b) for a, b in zip(values[0::2], values[1::2], strict=True)]
    return values[0]
