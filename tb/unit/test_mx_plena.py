"""The functions of rtl/mx_functions.svh for the element format `plena`, against exact rational arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tb import oracle as exact
from tb.engine import simulate
from tb.unit import fp_bench
from tb.unit.bf16_data import random_blocks
from tb.unit.fp_bench import Bits
from tb.unit.test_float import check, exactly


def apply(function: str, a: Bits, b: Bits | int, simulator: str = "verilator") -> NDArray[np.uint32]:
    return fp_bench.apply(function, a, b, simulator, "plena")


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_decode(simulator: str) -> None:
    """Every element byte with every scale byte."""
    element = np.tile(np.arange(256, dtype=np.uint32), 256)
    scale = np.repeat(np.arange(256, dtype=np.uint32), 256)
    want = exactly(exact.plena_decode, element, scale)
    check("mx_decode", element, scale, apply("mx_decode", element, scale, simulator), want)


def test_scale() -> None:
    """Every finite magnitude, and the special blocks."""
    magnitude = np.arange(0x7F80, dtype=np.uint32)
    flushed = np.where(magnitude < 0x80, 0, magnitude)
    want = exactly(lambda bits: exact.plena_scale(exact.read(bits, exact.BF16).value), flushed)
    check("mx_scale", magnitude, 0, apply("mx_scale", flushed, 0), want)
    assert (apply("mx_scale", np.arange(0x8000, dtype=np.uint32), 1) == 0xFF).all()


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_encode(simulator: str) -> None:
    """Every significand and sign in 25 binades around its scale, saturated at the top and vanishing below."""
    x = np.arange(100 << 7, 125 << 7, dtype=np.uint32)
    x = np.concatenate([x, x | 0x8000])
    scale = np.full(x.size, 112, dtype=np.uint32)
    want = exactly(exact.plena_element, x, scale)
    check("mx_encode", x, scale, apply("mx_encode", x, scale, simulator), want)


def test_encode_blocks() -> None:
    """Whole blocks of 8: maximum, scale and elements as the exact encoder makes them."""
    blocks = random_blocks(count=60, seed=29).astype(np.uint32)
    magnitude = blocks & 0x7FFF
    special = np.asarray((magnitude >= 0x7F80).any(axis=1), np.uint32)
    largest = np.asarray(np.where(magnitude < 0x80, 0, magnitude).max(axis=1))
    scale = apply("mx_scale", largest, special)
    x, byte = blocks.ravel(), np.repeat(scale, 8)
    elements = apply("mx_encode", x, byte)
    want = [exact.plena_encode(block) for block in blocks.tolist()]
    check("mx_scale", largest, special, scale, np.array([s for _, s in want], np.uint32))
    check("mx_encode", x, byte, elements, np.array([e for block, _ in want for e in block], np.uint32))
