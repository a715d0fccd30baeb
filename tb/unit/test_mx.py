"""The functions of rtl/mx_functions.svh against exact rational arithmetic and ml_dtypes."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from tb import oracle as exact
from tb.engine import simulate
from tb.unit import fp_bench
from tb.unit.test_float import U32, check, exactly, fast_narrow


def finite16() -> U32:
    """Every finite bf16 pattern, subnormals included (uint32)."""
    every = np.arange(1 << 16, dtype=np.uint32)
    result: U32 = every[(every & 0x7F80) != 0x7F80]
    return result


def fast_elements(x: U32, scale: U32) -> U32:
    """Return E4M3 bytes of finite bf16 bits ``x`` for scale bytes ``scale``, by ml_dtypes."""
    flushed = np.where(x & 0x7F80, x, x & 0x8000).astype(np.uint16).view(ml_dtypes.bfloat16)
    scaled = np.clip(flushed.astype(np.float64) * np.exp2(127.0 - scale), -448.0, 448.0)
    result: U32 = scaled.astype(ml_dtypes.float8_e4m3fn).view(np.uint8).astype(np.uint32)
    return result


def block_scale(x: U32) -> U32:
    """Return the exact scale byte of a block that holds only ``x``, for finite bf16 bits."""
    return exactly(lambda bits: exact.mx_scale(abs(exact.read(bits, exact.BF16).value)), x)


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_decode(simulator: str) -> None:
    """Every element byte with every scale byte."""
    element = np.tile(np.arange(256, dtype=np.uint32), 256)
    scale = np.repeat(np.arange(256, dtype=np.uint32), 256)
    want = exactly(exact.mx_decode, element, scale)
    check("mx_decode", element, scale, fp_bench.apply("mx_decode", element, scale, simulator), want)
    # the number formats themselves, by ml_dtypes
    value = element.astype(np.uint8).view(ml_dtypes.float8_e4m3fn).astype(np.float64)
    value = value * scale.astype(np.uint8).view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    with np.errstate(over="ignore"):
        check("ml_dtypes", element, scale, fast_narrow(value.astype(np.float32).view(np.uint32)), want)


def test_scale() -> None:
    """Every finite magnitude, and the special blocks."""
    magnitude = np.arange(0x7F80, dtype=np.uint32)
    flushed = np.where(magnitude < 0x80, 0, magnitude)
    check("mx_scale", magnitude, 0, fp_bench.apply("mx_scale", flushed, 0), block_scale(magnitude))
    special = fp_bench.apply("mx_scale", np.arange(0x8000, dtype=np.uint32), 1)
    assert (special == 0xFF).all()


def test_encode_every_value() -> None:
    """Every finite bf16 with its own scale and with up to 20 binades above it, down to where it vanishes."""
    x = finite16()
    own = fp_bench.apply("mx_scale", np.where((x & 0x7FFF) < 0x80, 0, x & 0x7FFF), 0)
    for above in (0, 1, 2, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 18, 19, 20):
        scale = np.minimum(own + above, 254)
        got = fp_bench.apply("mx_encode", x, scale)
        check("mx_encode", x, scale, got, fast_elements(x, scale))
    some = np.random.default_rng(5).integers(0, x.size, 4_000)
    scale = np.minimum(own[some] + np.random.default_rng(6).integers(0, 20, some.size, dtype=np.uint32), 254)
    want = exactly(exact.mx_element, x[some], scale)
    check("ml_dtypes", x[some], scale, fast_elements(x[some], scale), want)


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_encode_blocks(simulator: str) -> None:
    """Whole blocks of 8: maximum, scale and elements as the exact encoder makes them."""
    rng = np.random.default_rng(7)
    blocks = rng.integers(0, 1 << 16, (400, 8), dtype=np.uint32)
    blocks[:200] = (blocks[:200] & 0x87FF) + rng.integers(0, 0x7000, (200, 1), dtype=np.uint32) & 0xFFFF
    blocks[200:210] &= 0x807F  # zeros and subnormals only
    blocks[210:220, 3] = (0x7F80, 0xFF80, 0x7FC0, 0xFFA5, 0x7F81) * 2  # infinity and NaN
    blocks[220:230] = (blocks[220:230] & 0x807F) | 0x7F00  # the largest binade
    blocks[230:240] = (blocks[230:240] & 0x807F) | 0x0080  # the smallest binade
    magnitude = blocks & 0x7FFF
    special = np.asarray((magnitude >= 0x7F80).any(axis=1), np.uint32)
    largest = np.asarray(np.where(magnitude < 0x80, 0, magnitude).max(axis=1))
    scale = fp_bench.apply("mx_scale", largest, special, simulator)
    x, byte = blocks.ravel(), np.repeat(scale, 8)
    elements = fp_bench.apply("mx_encode", x, byte, simulator)
    want = [exact.mx_encode(block) for block in blocks.tolist()]
    check("mx_scale", largest, special, scale, np.array([s for _, s in want], np.uint32))
    check("mx_encode", x, byte, elements, np.array([e for block, _ in want for e in block], np.uint32))


def test_encode_is_total() -> None:
    """Outside a block of its own: larger than 448 saturates, NaN and infinity give 7F, scale FF gives 7F."""
    x = np.array([0x7F7F, 0xFF7F, 0x4480, 0x43E8, 0x43E0, 0x7F80, 0xFFC0, 0x3F80], dtype=np.uint32)
    scale = np.array([0, 0, 127, 127, 127, 127, 127, 255], dtype=np.uint32)
    assert fp_bench.apply("mx_encode", x, scale).tolist() == [0x7E, 0xFE, 0x7E, 0x7E, 0x7E, 0x7F, 0x7F, 0x7F]
