"""The table of element formats, and `plena_ref.machine.mx` for each of them, against independent types."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from plena_ref.isa.formats import FORMATS, SCALE, ElementFormat, Rules
from plena_ref.machine import mx

#: The same formats by somebody else.
DTYPES = {
    "ocp": ml_dtypes.float8_e4m3fn,
    "plena": ml_dtypes.float8_e4m3,
}
EVERY = np.arange(256, dtype=np.uint8)
each_format = pytest.mark.parametrize("entry", FORMATS.values(), ids=lambda entry: entry.key)


def independent(entry: ElementFormat) -> np.ndarray:
    """float64[256]: the number of every element byte. PLENA's subnormals are half of those of the type."""
    values = EVERY.view(DTYPES[entry.key]).astype(np.float64)
    subnormal = EVERY >> entry.mantissa_bits & (1 << entry.exponent_bits) - 1 == 0
    return np.where(subnormal & (entry.rules is Rules.PLENA), values / 2, values)


def test_the_tables_name_the_same_formats() -> None:
    for key in FORMATS.keys() - DTYPES.keys():
        pytest.fail(f"tests/machine/test_formats.py has no independent type for {key}")
    for key in DTYPES.keys() - FORMATS.keys():
        pytest.fail(f"{key} is not in plena_ref/isa/formats.py")


@each_format
def test_every_code_is_the_number_of_the_independent_type(entry: ElementFormat) -> None:
    for code, value in enumerate(independent(entry)[:128]):
        if code >= entry.first_nan:
            assert np.isnan(value), f"{entry.key} {code:02X}"
        elif code > entry.largest:
            assert np.isinf(value), f"{entry.key} {code:02X}"
        else:
            assert entry.magnitude(code) == value, f"{entry.key} {code:02X}"


@each_format
def test_decode_of_every_element_and_scale(entry: ElementFormat) -> None:
    scales = EVERY.view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    with np.errstate(all="ignore"):
        values = (scales[:, None] * independent(entry)[None, :]).astype(np.float32)
        wanted = values.astype(ml_dtypes.bfloat16).view(np.uint16)
    wanted = np.where(np.abs(values) < 2.0**-126, wanted & 0x8000, wanted)
    wanted = np.where(np.isnan(values), 0x7FC0, wanted)
    assert np.array_equal(mx.decode(EVERY[None, :], EVERY[:, None], entry.key), wanted)


@pytest.mark.parametrize("key", [key for key, entry in FORMATS.items() if entry.rules is Rules.OCP])
def test_encode_rounds_like_the_independent_type(key: str) -> None:
    """The other rules are looked at in test_mx_plena.py."""
    rng = np.random.default_rng(3)
    bits = rng.integers(0x3000, 0x5000, (400, 8), dtype=np.uint16)
    bits |= rng.integers(0, 2, bits.shape, dtype=np.uint16) << np.uint16(15)
    elements, scales = mx.encode_rows(bits, 8, key)
    values = (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    largest = float(ml_dtypes.finfo(DTYPES[key]).max)
    exponents = np.ceil(np.log2(np.abs(values).max(axis=1) / largest)).astype(int)
    assert scales[:, 0].tolist() == np.clip(exponents + SCALE.bias, 0, 254).tolist()
    scaled = np.ldexp(values, SCALE.bias - scales.astype(int))
    assert np.array_equal(elements, scaled.astype(DTYPES[key]).view(np.uint8))


@pytest.mark.parametrize(
    "fields",
    [(4, 4, 7, 0x7E, 0x7F, 0x7F), (7, 0, 63, 0x7E, 0x7F, 0x7F), (4, 3, 7, 0x7F, 0x7F, 0x7F)],
)
def test_a_format_that_contradicts_itself_is_refused(fields: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"plena_ref/isa/formats.py: X: "):
        ElementFormat("X", "an X", *fields)
