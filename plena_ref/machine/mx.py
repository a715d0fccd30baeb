"""Rows as they lie in HBM: elements of one byte that share an E8M0 scale a block (docs/isa.md, "Numbers").

Elements and scales are raw `uint8`, on-chip values raw bf16 `uint16`. The element formats are those of
`plena_ref.isa.formats`, named by their keys.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.formats import BLOCK, ELEMENT, FORMATS, PLENA_EPSILON, SCALE, ElementFormat, Rules
from plena_ref.machine.numerics import BF16_POS_INF, U16, bf16_flush, bf16_to_f32, f32_to_bf16

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: Elements that share one scale unless a machine says otherwise.
MX_BLOCK = BLOCK
SCALE_BIAS = SCALE.bias
SCALE_NAN = SCALE.nan


def _element_values(entry: ElementFormat) -> F64:
    """float64[256]: what each element byte stands for without a scale."""
    values = np.empty(256)
    for code in range(128):
        if code > entry.largest:
            values[code] = np.nan if code >= entry.first_nan else np.inf
        else:
            values[code] = entry.magnitude(code)
        values[code + 128] = -values[code]
    return values


@cache
def _decode_table(element: str) -> U16:
    """uint16[256, 256], indexed by scale and element. A product has 4 significant bits: none is rounded."""
    scales = np.exp2(np.arange(256.0) - SCALE_BIAS)
    scales[SCALE_NAN] = np.nan
    with np.errstate(all="ignore"):
        products = scales[:, None] * _element_values(FORMATS[element])[None, :]
        table = f32_to_bf16(products.astype(np.float32))
    table.setflags(write=False)
    return table


def decode(elements: U8, scales: U8, element: str = ELEMENT) -> U16:
    """Raw bf16 of element * 2^(scale - 127), flushed; overflow is infinity, NaN of either is NaN.

    `elements` and `scales` are uint8 arrays that broadcast against each other: one scale an element.
    """
    return _decode_table(element)[scales, elements]


def decode_rows(elements: U8, scales: U8, element: str = ELEMENT) -> U16:
    """Decode rows of blocks: uint8 `elements` [..., n] and `scales` [..., n / block] -> raw bf16 [..., n]."""
    block = elements.shape[-1] // scales.shape[-1]
    return decode(elements, np.repeat(scales, block, axis=-1), element)


def block_scales(maxima: U16, element: str = ELEMENT) -> U8:
    """Scale bytes for blocks whose largest magnitudes are `maxima` (raw bf16, finite, flushed, sign 0)."""
    entry = FORMATS[element]
    values = bf16_to_f32(maxima).astype(np.float64)
    wanted = _binade_scales(values) if entry.rules is Rules.PLENA else _fitting_scales(entry, values)
    return wanted.astype(np.uint8)


def _fitting_scales(entry: ElementFormat, maxima: F64) -> I64:
    """Exponent ceil(log2(a / largest)), clamped to -127..127, plus 127; zero gives 0.

    Found without rounding: both as m * 2^e with m in [0.5, 1), it is the difference of the e, and one more
    where the m of a is larger.
    """
    mantissa, exponent = np.frexp(maxima)
    largest_mantissa, largest_exponent = np.frexp(entry.magnitude(entry.largest))
    wanted = exponent.astype(np.int64) - int(largest_exponent) + (mantissa > largest_mantissa)
    return np.where(mantissa == 0, 0, np.clip(wanted, -SCALE_BIAS, SCALE_BIAS) + SCALE_BIAS)


def _binade_scales(maxima: F64) -> I64:
    """Exponent floor(log2(a + 1e-9)), which is at least -30, plus 127."""
    _, exponent = np.frexp(maxima + PLENA_EPSILON)
    return exponent.astype(np.int64) - 1 + SCALE_BIAS


def _codes(entry: ElementFormat, values: F64) -> U8:
    """Element bytes of float64 `values` of at most the largest magnitude; the sign of zero is kept."""
    _, exponent = np.frexp(values)
    smallest = 1 - entry.bias
    exponent = np.where(values == 0, smallest, np.maximum(exponent.astype(np.int64) - 1, smallest))
    # Steps of the last place: a carry runs over into the exponent field.
    steps = np.rint(np.ldexp(np.abs(values), entry.mantissa_bits - exponent)).astype(np.int64)
    codes = (exponent - smallest << entry.mantissa_bits) + steps
    result: U8 = (codes | np.where(np.signbit(values), 0x80, 0)).astype(np.uint8)
    return result


def _codes_without_carry(entry: ElementFormat, values: F64) -> U8:
    """Element bytes of float64 `values` by PLENA's rounding; the sign of zero is kept.

    A magnitude of 2^-bias up to the smallest normal number saturates to the largest subnormal one.
    """
    magnitude = np.abs(values)
    _, exponent = np.frexp(magnitude)
    field = np.maximum(np.where(magnitude == 0, 0, exponent.astype(np.int64) - 1 + entry.bias), 0)
    top = 1 << entry.mantissa_bits
    steps = np.ldexp(magnitude, entry.mantissa_bits - (field - entry.bias)) - np.where(field > 0, top, 0)
    fraction = np.minimum(np.rint(np.floor(steps * 4) / 4).astype(np.int64), top - 1)
    codes = np.minimum((field << entry.mantissa_bits) + fraction, entry.largest)
    result: U8 = (codes | np.where(np.signbit(values), 0x80, 0)).astype(np.uint8)
    return result


@cache
def _code_table(element: str) -> U8:
    """uint8[65536]: the element byte of every bf16 bit pattern of at most twice the largest magnitude."""
    entry = FORMATS[element]
    values = bf16_to_f32(np.arange(1 << 16, dtype=np.uint16)).astype(np.float64)
    wanted = np.abs(values) <= 2 * entry.magnitude(entry.largest)
    codes = _codes_without_carry if entry.rules is Rules.PLENA else _codes
    table = codes(entry, np.where(wanted, values, 0.0))
    table.setflags(write=False)
    return table


def _scaled(blocks: U16, exponents: I64) -> U16:
    """Raw bf16 `blocks` [..., n, block], flushed and finite, times 2^-exponents [..., n].

    What comes out below the normal numbers becomes 0: it is nothing next to the smallest element.
    """
    shift = (exponents << 7).astype(np.int32)[..., None]
    moved = (blocks & np.uint16(0x7FFF)).astype(np.int32) - shift
    kept = (moved >= 1 << 7) & ((blocks & np.uint16(0x7F80)) != 0)
    return np.where(kept, moved, 0).astype(np.uint16) | (blocks & np.uint16(0x8000))


def encode_rows(bits: U16, block: int = MX_BLOCK, element: str = ELEMENT) -> tuple[U8, U8]:
    """Encode raw bf16 rows uint16[..., n] into (elements uint8[..., n], scales uint8[..., n / block]).

    Scales and rounding follow the rules of the element format. A block that holds NaN or an infinity has the
    NaN of both.

    Raises:
        ValueError: n is not a multiple of `block`.
    """
    if bits.shape[-1] % block:
        raise ValueError(f"a row of {bits.shape[-1]} elements is not a whole number of blocks of {block}")
    entry = FORMATS[element]
    blocks = bf16_flush(bits).reshape(*bits.shape[:-1], -1, block)
    maxima = (blocks & np.uint16(0x7FFF)).max(axis=-1)
    special = maxima >= BF16_POS_INF
    finite_maxima = np.where(special, 0, maxima).astype(np.uint16)
    scales = np.where(special, SCALE_NAN, block_scales(finite_maxima, element))
    exponents = np.where(special, 0, scales.astype(np.int64) - SCALE_BIAS)
    finite = np.where(special[..., None], np.uint16(0), blocks)
    codes = _code_table(element).take(_scaled(finite, exponents))
    elements = np.where(special[..., None], np.uint8(entry.nan), codes)
    return elements.reshape(bits.shape), scales.astype(np.uint8)
