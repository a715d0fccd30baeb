"""MXFP8 as it lies in HBM: E4M3 elements that share an E8M0 scale a block (docs/isa.md, "Numbers").

Elements and scales are raw `uint8`, on-chip values raw bf16 `uint16`. The formats are OCP MX
(`ml_dtypes.float8_e4m3fn`, `ml_dtypes.float8_e8m0fnu`); ml_dtypes does every conversion of an element.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.numerics import BF16_POS_INF, bf16_flush, bf16_to_f32, f32_to_bf16

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]

#: Elements that share one scale unless a machine says otherwise.
MX_BLOCK = 8
E4M3_NAN = 0x7F
SCALE_BIAS = 127
SCALE_NAN = 0xFF


def _decode_table() -> U16:
    """uint16[256, 256], indexed by scale and element. Products have 4 significant bits: none is rounded."""
    every = np.arange(256, dtype=np.uint8)
    with np.errstate(all="ignore"):
        elements = every.view(ml_dtypes.float8_e4m3fn).astype(np.float64)
        scales = every.view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
        table = f32_to_bf16((scales[:, None] * elements[None, :]).astype(np.float32))
    table.setflags(write=False)
    return table


_DECODED = _decode_table()


def decode(elements: U8, scales: U8) -> U16:
    """Raw bf16 of element * 2^(scale - 127), flushed; overflow is infinity, element 7F/FF or scale FF is NaN.

    `elements` and `scales` are uint8 arrays that broadcast against each other: one scale an element.
    """
    return _DECODED[scales, elements]


def decode_rows(elements: U8, scales: U8) -> U16:
    """Decode rows of blocks: uint8 `elements` [..., n] and `scales` [..., n / block] -> raw bf16 [..., n]."""
    block = elements.shape[-1] // scales.shape[-1]
    return decode(elements, np.repeat(scales, block, axis=-1))


def block_scales(maxima: U16) -> U8:
    """Scale bytes for blocks whose largest magnitudes are `maxima` (raw non-negative finite bf16, flushed).

    The exponent is ceil(log2(a / 448)) clamped to -127..127, found without rounding: with a = m * 2^e and
    m in [0.5, 1), and 448 = 0.875 * 2^9, it is e - 9 up to m = 0.875 and e - 8 above. Zero gives byte 0.
    """
    mantissa, exponent = np.frexp(bf16_to_f32(maxima))
    wanted = exponent.astype(np.int64) - 9 + (mantissa > 0.875)
    bytes_ = np.clip(wanted, -SCALE_BIAS, SCALE_BIAS) + SCALE_BIAS
    return np.where(mantissa == 0, 0, bytes_).astype(np.uint8)


def encode_rows(bits: U16, block: int = MX_BLOCK) -> tuple[U8, U8]:
    """Encode raw bf16 rows uint16[..., n] into (elements uint8[..., n], scales uint8[..., n / block]).

    No element saturates; elements round to nearest even and keep the sign of zero. An all-zero block has
    scale 00; a block that holds NaN or an infinity has scale FF and elements 7F.

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
    # Eight significant bits scaled by a power of two: exact in float64, and at most 448 in magnitude.
    scaled = np.ldexp(bf16_to_f32(finite).astype(np.float64), -exponents[..., None])
    elements = scaled.astype(ml_dtypes.float8_e4m3fn).view(np.uint8)
    elements = np.where(special[..., None], np.uint8(E4M3_NAN), elements)
    return elements.reshape(bits.shape), scales.astype(np.uint8)


def dequantise(elements: U8, scales: U8) -> NDArray[np.float64]:
    """The float64 values that `decode_rows` puts on chip: what a float64 golden should start from."""
    return bf16_to_f32(decode_rows(elements, scales)).astype(np.float64)
