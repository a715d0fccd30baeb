"""Rows as they lie in HBM: elements of one byte that share an E8M0 scale a block (docs/isa.md, "Numbers").

Elements and scales are raw `uint8`, on-chip values raw bf16 `uint16`. The element format is that of
`plena_ref.isa.formats`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.formats import BLOCK, ELEMENT, SCALE
from plena_ref.machine.numerics import BF16_POS_INF, U16, bf16_flush, bf16_to_f32, f32_to_bf16

U8 = NDArray[np.uint8]

#: Elements that share one scale unless a machine says otherwise.
MX_BLOCK = BLOCK
SCALE_BIAS = SCALE.bias
SCALE_NAN = SCALE.nan

_LARGEST = ELEMENT.magnitude(ELEMENT.largest)


def _element_values() -> NDArray[np.float64]:
    """float64[256]: what each element byte stands for without a scale."""
    values = np.empty(256)
    for code in range(128):
        if code > ELEMENT.largest:
            values[code] = np.nan if code >= ELEMENT.first_nan else np.inf
        else:
            values[code] = ELEMENT.magnitude(code)
        values[code + 128] = -values[code]
    return values


def _decode_table() -> U16:
    """uint16[256, 256], indexed by scale and element. A product has 4 significant bits: none is rounded."""
    scales = np.exp2(np.arange(256.0) - SCALE_BIAS)
    scales[SCALE_NAN] = np.nan
    with np.errstate(all="ignore"):
        table = f32_to_bf16((scales[:, None] * _element_values()[None, :]).astype(np.float32))
    table.setflags(write=False)
    return table


_DECODED = _decode_table()


def decode(elements: U8, scales: U8) -> U16:
    """Raw bf16 of element * 2^(scale - 127), flushed; overflow is infinity, NaN of either is NaN.

    `elements` and `scales` are uint8 arrays that broadcast against each other: one scale an element.
    """
    return _DECODED[scales, elements]


def decode_rows(elements: U8, scales: U8) -> U16:
    """Decode rows of blocks: uint8 `elements` [..., n] and `scales` [..., n / block] -> raw bf16 [..., n]."""
    block = elements.shape[-1] // scales.shape[-1]
    return decode(elements, np.repeat(scales, block, axis=-1))


def block_scales(maxima: U16) -> U8:
    """Scale bytes for blocks whose largest magnitudes are `maxima` (raw non-negative finite bf16, flushed).

    The exponent is ceil(log2(a / largest)) clamped to -127..127, found without rounding: both as m * 2^e with
    m in [0.5, 1), it is the difference of the e, and one more where the m of a is larger. Zero gives byte 0.
    """
    mantissa, exponent = np.frexp(bf16_to_f32(maxima))
    largest_mantissa, largest_exponent = np.frexp(_LARGEST)
    wanted = exponent.astype(np.int64) - int(largest_exponent) + (mantissa > largest_mantissa)
    bytes_ = np.clip(wanted, -SCALE_BIAS, SCALE_BIAS) + SCALE_BIAS
    return np.where(mantissa == 0, 0, bytes_).astype(np.uint8)


def _codes(values: NDArray[np.float64]) -> U8:
    """Element bytes of float64 `values` of at most the largest magnitude: nearest even, sign of zero kept."""
    _, exponent = np.frexp(values)
    smallest = 1 - ELEMENT.bias
    exponent = np.where(values == 0, smallest, np.maximum(exponent.astype(np.int64) - 1, smallest))
    # Steps of the last place: a carry runs over into the exponent field.
    steps = np.rint(np.ldexp(np.abs(values), ELEMENT.mantissa_bits - exponent)).astype(np.int64)
    codes = (exponent - smallest << ELEMENT.mantissa_bits) + steps
    return (codes | np.where(np.signbit(values), 0x80, 0)).astype(np.uint8)


def encode_rows(bits: U16, block: int = MX_BLOCK) -> tuple[U8, U8]:
    """Encode raw bf16 rows uint16[..., n] into (elements uint8[..., n], scales uint8[..., n / block]).

    No element saturates; elements round to nearest even and keep the sign of zero. An all-zero block has
    scale 00; a block that holds NaN or an infinity has the NaN of both.

    Raises:
        ValueError: n is not a multiple of `block`.
    """
    if bits.shape[-1] % block:
        raise ValueError(f"a row of {bits.shape[-1]} elements is not a whole number of blocks of {block}")
    blocks = bf16_flush(bits).reshape(*bits.shape[:-1], -1, block)
    maxima = (blocks & np.uint16(0x7FFF)).max(axis=-1)
    special = maxima >= BF16_POS_INF
    scales = np.where(special, SCALE_NAN, block_scales(np.where(special, 0, maxima).astype(np.uint16)))
    exponents = np.where(special, 0, scales.astype(np.int64) - SCALE_BIAS)
    finite = np.where(special[..., None], np.uint16(0), blocks)
    # Eight significant bits scaled by a power of two: exact in float64, and at most the largest element.
    elements = _codes(np.ldexp(bf16_to_f32(finite).astype(np.float64), -exponents[..., None]))
    elements = np.where(special[..., None], np.uint8(ELEMENT.nan), elements)
    return elements.reshape(bits.shape), scales.astype(np.uint8)


def dequantise(elements: U8, scales: U8) -> NDArray[np.float64]:
    """The float64 values that `decode_rows` puts on chip: what a float64 golden should start from."""
    return bf16_to_f32(decode_rows(elements, scales)).astype(np.float64)
