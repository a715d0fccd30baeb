"""The element format `plena` of `plena_ref.machine.mx` against exact arithmetic on its definition."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.machine import mx
from tb import oracle as exact
from tb.unit.bf16_data import random_blocks


def test_decode_is_exact_for_every_element_and_scale() -> None:
    every = np.arange(256, dtype=np.uint8)
    got = mx.decode(every[None, :], every[:, None], "plena")
    wanted = [[exact.plena_decode(element, scale) for element in range(256)] for scale in range(256)]
    assert np.array_equal(got, np.array(wanted, dtype=np.uint16))


@pytest.mark.parametrize(
    ("element", "scale", "wanted"),
    [
        (0x07, 127, 0x3BE0),  # 7/8 * 2^-7
        (0x01, 127, 0x3A80),  # 2^-10
        (0x87, 127, 0xBBE0),
        (0x08, 127, 0x3C80),  # the smallest normal number, 2^-6, as in OCP
        (0x77, 127, 0x4370),  # 240
        (0x78, 127, 0x7F80),
        (0xF8, 127, 0xFF80),
        (0x79, 127, 0x7FC0),
        (0xFF, 127, 0x7FC0),
        (0x78, 255, 0x7FC0),
        (0x77, 254, 0x7F80),
        (0x80, 127, 0x8000),
    ],
)
def test_decode_corners(element: int, scale: int, wanted: int) -> None:
    assert int(mx.decode(np.uint8(element), np.uint8(scale), "plena")) == wanted


def test_scale_is_exact_for_every_magnitude() -> None:
    maxima = np.concatenate([[0], np.arange(0x0080, 0x7F80)]).astype(np.uint16)
    wanted = [exact.plena_scale(exact.read(bits, exact.BF16).value) for bits in maxima.tolist()]
    assert mx.block_scales(maxima, "plena").tolist() == wanted
    assert min(wanted) == 97  # 1e-9 alone


def one_of(value: float, largest: float = 1.0) -> int:
    """The element byte of `value` in a block whose largest magnitude is `largest`."""
    block = np.zeros(8, dtype=np.float32)
    block[0], block[3] = largest, value
    return int(mx.encode_rows((block.view(np.uint32) >> 16).astype(np.uint16), 8, "plena")[0][3])


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1.0 + 1 / 16, 0x38),  # half a step: to the even number
        (1.0 + 3 / 16, 0x3A),
        (1.0 + 5 / 64, 0x38),  # five eighths of a step: the last eighth is dropped, then a half goes to even
        (1.0 + 3 / 32, 0x39),  # three quarters
        (1.0 + 15 / 16, 0x3F),  # would carry into the exponent: stays
        (0.5 + 127 / 256, 0x37),
        (2.0**-6, 0x08),
        (2.0**-6 * 127 / 128, 0x07),  # between the largest subnormal number and the smallest normal one
        (2.0**-7, 0x07),
        (2.0**-7 * 15 / 16, 0x07),
        (2.0**-10, 0x01),
        (2.0**-11, 0x00),  # half of the smallest
        (2.0**-11 * 3 / 2, 0x01),
        (-(2.0**-12), 0x80),
        (0.0, 0x00),
    ],
)
def test_rounding(value: float, wanted: int) -> None:
    assert one_of(value) == wanted


def test_encode_is_exact() -> None:
    blocks = random_blocks(count=120, seed=23)
    elements, scales = mx.encode_rows(blocks, 8, "plena")
    for row, block in enumerate(blocks.tolist()):
        assert (elements[row].tolist(), int(scales[row, 0])) == exact.plena_encode(block), [
            hex(x) for x in block
        ]


def test_a_block_of_zeros_has_the_scale_of_the_epsilon() -> None:
    elements, scales = mx.encode_rows(np.array([0, 0x8000] * 4, dtype=np.uint16), 8, "plena")
    assert elements.tolist() == [0, 0x80] * 4 and scales.tolist() == [97]
