"""`plena_ref.machine.mx` against exact arithmetic on the definitions of its element formats."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from plena_ref.machine import mx
from tb import oracle as exact
from tb.unit.bf16_data import random_blocks

#: Decoder, scale and encoder of each element format, by exact arithmetic.
RULES = {
    "ocp": (exact.mx_decode, exact.mx_scale, exact.mx_encode),
    "plena": (exact.plena_decode, exact.plena_scale, exact.plena_encode),
}
each_format = pytest.mark.parametrize("form", RULES)


@each_format
def test_decode_is_exact_for_every_element_and_scale(form: str) -> None:
    decode, _, _ = RULES[form]
    every = np.arange(256, dtype=np.uint8)
    got = mx.decode(every[None, :], every[:, None], form)
    wanted = [[decode(element, scale) for element in range(256)] for scale in range(256)]
    assert np.array_equal(got, np.array(wanted, dtype=np.uint16))


@pytest.mark.parametrize(
    ("form", "element", "scale", "wanted"),
    [
        ("ocp", 0x80, 0x7F, 0x8000),
        ("ocp", 0x80, 0x00, 0x8000),
        ("ocp", 0x7F, 0x7F, 0x7FC0),
        ("ocp", 0xFF, 0x7F, 0x7FC0),
        ("ocp", 0x38, 0xFF, 0x7FC0),
        ("ocp", 0x00, 0xFF, 0x7FC0),
        ("ocp", 0x7E, 0x7F, 0x43E0),
        ("ocp", 0x7E, 0xFE, 0x7F80),
        ("ocp", 0xFE, 0xFE, 0xFF80),
        ("ocp", 0x01, 0x7F, 0x3B00),
        ("ocp", 0x01, 0x09, 0x0000),
        ("ocp", 0x01, 0x0A, 0x0080),
        ("ocp", 0x38, 0x00, 0x0000),
        ("plena", 0x07, 127, 0x3BE0),  # 7/8 * 2^-7
        ("plena", 0x01, 127, 0x3A80),  # 2^-10
        ("plena", 0x87, 127, 0xBBE0),
        ("plena", 0x08, 127, 0x3C80),  # the smallest normal number, 2^-6, as in OCP
        ("plena", 0x77, 127, 0x4370),  # 240
        ("plena", 0x78, 127, 0x7F80),
        ("plena", 0xF8, 127, 0xFF80),
        ("plena", 0x79, 127, 0x7FC0),
        ("plena", 0xFF, 127, 0x7FC0),
        ("plena", 0x78, 255, 0x7FC0),
        ("plena", 0x77, 254, 0x7F80),
        ("plena", 0x80, 127, 0x8000),
    ],
)
def test_decode_corners(form: str, element: int, scale: int, wanted: int) -> None:
    assert int(mx.decode(np.uint8(element), np.uint8(scale), form)) == wanted


@each_format
def test_scale_is_exact_for_every_magnitude(form: str) -> None:
    _, scale_of, _ = RULES[form]
    maxima = np.concatenate([[0], np.arange(0x0080, 0x7F80)]).astype(np.uint16)
    wanted = [scale_of(exact.read(bits, exact.BF16).value) for bits in maxima.tolist()]
    assert mx.block_scales(maxima, form).tolist() == wanted


@each_format
def test_encode_is_exact(form: str) -> None:
    _, _, encode = RULES[form]
    blocks = random_blocks(count=120, seed=21)
    elements, scales = mx.encode_rows(blocks, 8, form)
    for row, block in enumerate(blocks.tolist()):
        assert (elements[row].tolist(), int(scales[row, 0])) == encode(block), [hex(x) for x in block]


def test_nothing_saturates_and_nothing_finite_becomes_nan() -> None:
    """The cast to float8_e4m3fn gives NaN above 464; a floor instead of the ceil would reach that or clip."""
    assert np.isnan(np.float64(465).astype(ml_dtypes.float8_e4m3fn).astype(np.float64))
    magnitudes = np.arange(0x0080, 0x7F80, dtype=np.uint16)
    blocks = np.zeros((magnitudes.size, 8), dtype=np.uint16)
    blocks[:, 3] = magnitudes
    blocks[:, 5] = magnitudes | 0x8000
    elements, scales = mx.encode_rows(blocks)
    assert (elements & 0x7F <= 0x7E).all()
    quantum = 2.0 ** (scales[:, 0].astype(np.float64) - 127)
    real = (magnitudes.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    assert (real / quantum <= 448).all()
    grown = (scales[:, 0] > 0) & (scales[:, 0] < 254)
    assert (real[grown] / quantum[grown] > 224).all()


def test_encode_zero_and_special_blocks() -> None:
    elements, scales = mx.encode_rows(np.array([0, 0x8000, 1, 0x8001, 0, 0, 0, 0x807F], dtype=np.uint16))
    assert elements.tolist() == [0, 0x80, 0, 0x80, 0, 0, 0, 0x80] and scales.tolist() == [0]
    for special in (0x7F80, 0xFF80, 0x7FC0, 0xFFA5):
        block = np.full(8, 0x3F80, dtype=np.uint16)
        block[6] = special
        elements, scales = mx.encode_rows(block)
        assert elements.tolist() == [0x7F] * 8 and scales.tolist() == [0xFF]


@pytest.mark.parametrize("block", [8, 16, 32])
def test_rows_are_cut_into_blocks_along_the_row(block: int) -> None:
    rows = random_blocks(count=8, seed=block)[:48].reshape(-1, 2 * block)
    elements, scales = mx.encode_rows(rows, block)
    assert scales.shape == (len(rows), 2)
    for n, row in enumerate(rows.tolist()):
        for half in range(2):
            part = slice(half * block, (half + 1) * block)
            assert (elements[n, part].tolist(), int(scales[n, half])) == exact.mx_encode(row[part])
    decoded = mx.decode_rows(elements, scales)
    each = np.repeat(scales, block, axis=1)
    wanted = [
        exact.mx_decode(e, s) for e, s in zip(elements.ravel().tolist(), each.ravel().tolist(), strict=True)
    ]
    assert decoded.ravel().tolist() == wanted


def test_encode_of_a_decoded_block_keeps_its_values() -> None:
    rng = np.random.default_rng(5)
    elements = rng.integers(0, 256, (200, 8), dtype=np.uint8)
    elements[elements & 0x7F == 0x7F] = 0x3A
    scales = rng.integers(100, 150, (200, 1), dtype=np.uint8)
    values = mx.decode_rows(elements, scales)
    again = mx.decode_rows(*mx.encode_rows(values))
    assert np.array_equal(values, again)


def test_encode_refuses_a_broken_block() -> None:
    with pytest.raises(ValueError, match="a row of 12 elements is not a whole number of blocks of 8"):
        mx.encode_rows(np.zeros(12, dtype=np.uint16))
