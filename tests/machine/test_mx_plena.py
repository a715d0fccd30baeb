"""How elements of the format `plena` of `plena_ref.machine.mx` are rounded; the rest is in test_mx.py."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.machine import mx


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


def test_a_block_of_zeros_has_the_scale_of_the_epsilon() -> None:
    elements, scales = mx.encode_rows(np.array([0, 0x8000] * 4, dtype=np.uint16), 8, "plena")
    assert elements.tolist() == [0, 0x80] * 4 and scales.tolist() == [97]
