"""The table of number formats against independent types, and `plena_ref.machine.mx` for the format in use."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from plena_ref.isa.codegen import ROOT
from plena_ref.isa.formats import ELEMENT, FORMATS, SCALE, ElementFormat, row_bytes
from plena_ref.machine import mx

#: The same formats by somebody else.
DTYPES = {
    "E4M3": ml_dtypes.float8_e4m3fn,
}
EVERY = np.arange(256, dtype=np.uint8)


def test_the_tables_name_the_same_formats() -> None:
    for name in FORMATS.keys() - DTYPES.keys():
        pytest.fail(f"tests/machine/test_formats.py has no independent type for {name}")
    for name in DTYPES.keys() - FORMATS.keys():
        pytest.fail(f"{name} is not in plena_ref/isa/formats.py")


@pytest.mark.parametrize("entry", FORMATS.values(), ids=lambda entry: entry.name)
def test_every_code_is_the_number_of_the_independent_type(entry: ElementFormat) -> None:
    values = EVERY[:128].view(DTYPES[entry.name]).astype(np.float64)
    for code, value in enumerate(values):
        if code >= entry.first_nan:
            assert np.isnan(value), f"{entry.name} {code:02X}"
        elif code > entry.largest:
            assert np.isinf(value), f"{entry.name} {code:02X}"
        else:
            assert entry.magnitude(code) == value, f"{entry.name} {code:02X}"


def test_decode_of_every_element_and_scale() -> None:
    elements = EVERY.view(DTYPES[ELEMENT.name]).astype(np.float64)
    scales = EVERY.view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    with np.errstate(all="ignore"):
        values = (scales[:, None] * elements[None, :]).astype(np.float32)
        wanted = values.astype(ml_dtypes.bfloat16).view(np.uint16)
    wanted = np.where(np.abs(values) < 2.0**-126, wanted & 0x8000, wanted)
    wanted = np.where(np.isnan(values), 0x7FC0, wanted)
    assert np.array_equal(mx.decode(EVERY[None, :], EVERY[:, None]), wanted)


def test_encode_rounds_like_the_independent_type() -> None:
    rng = np.random.default_rng(3)
    bits = rng.integers(0x3000, 0x5000, (400, 8), dtype=np.uint16)
    bits |= rng.integers(0, 2, bits.shape, dtype=np.uint16) << np.uint16(15)
    elements, scales = mx.encode_rows(bits)
    values = (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    largest = float(ml_dtypes.finfo(DTYPES[ELEMENT.name]).max)
    exponents = np.ceil(np.log2(np.abs(values).max(axis=1) / largest)).astype(int)
    assert scales[:, 0].tolist() == np.clip(exponents + SCALE.bias, 0, 254).tolist()
    scaled = np.ldexp(values, SCALE.bias - scales.astype(int))
    assert np.array_equal(elements, scaled.astype(DTYPES[ELEMENT.name]).view(np.uint8))


def test_the_text_names_the_format() -> None:
    text = (ROOT / "docs/isa.md").read_text(encoding="utf-8")
    wanted = f"{ELEMENT.name} elements and {SCALE.name} scales"
    assert wanted in text, f"docs/isa.md, section 9, does not say that HBM holds {wanted}"
    assert row_bytes(64) == 64


@pytest.mark.parametrize(
    "fields",
    [(4, 4, 7, 0x7E, 0x7F, 0x7F), (7, 0, 63, 0x7E, 0x7F, 0x7F), (4, 3, 7, 0x7F, 0x7F, 0x7F)],
)
def test_a_format_that_contradicts_itself_is_refused(fields: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"plena_ref/isa/formats.py: X: "):
        ElementFormat("X", *fields)
