"""The number formats of HBM as one table; ELEMENT chooses the machine's among the element formats.

`plena_ref.machine.mx`, the constants of `rtl/mx_format.svh` and the table in docs/isa.md follow from it;
docs/extending/format.md says how a format is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Rules(Enum):
    """Whose rules a format follows where the fields of an element leave a choice."""

    #: Subnormals continue the smallest binade; a block's scale is the least under which nothing exceeds the
    #: largest element; elements round to nearest even.
    OCP = "ocp"
    #: An exponent field of 0 keeps the bias; a block's scale is floor(log2(maximum + 1e-9)); a mantissa is
    #: cut to quarters of its last place, then rounded to nearest even, and saturates where it would carry.
    PLENA = "plena"


@dataclass(frozen=True)
class ElementFormat:
    """A signed element of one byte: sign, exponent, mantissa; exponent field 0 is subnormal.

    Attributes:
        key: the value of ELEMENT that chooses it.
        name: as in the documentation.
        exponent_bits: width of the exponent field.
        mantissa_bits: stored significand bits, 1 to 3.
        bias: of the exponent.
        largest: code of the largest magnitude, without the sign bit.
        first_nan: lowest code of a NaN; what lies between `largest` and it is infinity.
        nan: code of the NaN that encoding writes.
        rules: of subnormals, scales and rounding.
    """

    key: str
    name: str
    exponent_bits: int
    mantissa_bits: int
    bias: int
    largest: int
    first_nan: int
    nan: int
    rules: Rules = Rules.OCP

    def __post_init__(self) -> None:
        """Refuse a row that contradicts itself."""
        where = f"plena_ref/isa/formats.py: {self.key}"
        if self.exponent_bits + self.mantissa_bits != 7 or not 1 <= self.mantissa_bits <= 3:
            raise ValueError(f"{where}: exponent and mantissa must have 7 bits, the mantissa 1 to 3 of them")
        if not 0 < self.largest < self.first_nan <= self.nan <= 0x7F:
            raise ValueError(f"{where}: 0 < largest < first_nan <= nan <= 7F does not hold")

    @property
    def smallest_exponent(self) -> int:
        """Exponent of the power of two that a subnormal's fraction counts from."""
        return (0 if self.rules is Rules.PLENA else 1) - self.bias

    def magnitude(self, code: int) -> float:
        """The number that a code of at most `largest` stands for, sign bit aside."""
        fraction = code & (1 << self.mantissa_bits) - 1
        exponent = code >> self.mantissa_bits
        if exponent:
            fraction |= 1 << self.mantissa_bits
        power = exponent - self.bias if exponent else self.smallest_exponent
        return fraction * 2.0 ** (power - self.mantissa_bits)


@dataclass(frozen=True)
class ScaleFormat:
    """A scale of one byte, a power of two: 2^(code - bias), but for the NaN."""

    name: str
    bias: int
    nan: int


#: Every element format by the value of ELEMENT: exponent bits, mantissa bits, bias, largest, first NaN, NaN
#: written. The RTL numbers them in this order.
FORMATS: dict[str, ElementFormat] = {
    entry.key: entry
    for entry in (
        ElementFormat("ocp", "E4M3", 4, 3, 7, 0x7E, 0x7F, 0x7F),
        ElementFormat("plena", "E4M3 of PLENA", 4, 3, 7, 0x77, 0x79, 0x7F, Rules.PLENA),
    )
}  # fmt: skip

#: The scale that a block of elements shares.
SCALE = ScaleFormat("E8M0", 127, 0xFF)

#: The element format of a machine that does not say otherwise.
ELEMENT = "ocp"

#: Elements that share one scale unless a machine says otherwise.
BLOCK = 8

#: What PLENA's quantiser adds to a block's maximum before it takes the logarithm: 1e-9 as f32 has it.
PLENA_EPSILON = 9_007_199 * 2.0**-53

#: Classes of transfers: H_PREFETCH_M (m), H_PREFETCH_V and H_STORE_V (v), each with precision 0 and 1. Bit n
#: of the RTL's HBM_BF16 is the n-th: its rows lie in HBM as bf16, without scales.
TRANSFER_CLASSES = ("m0", "m1", "v0", "v1")
