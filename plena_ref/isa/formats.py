"""The number formats of HBM as one table, and the one that the machine has.

`plena_ref.machine.mx`, the constants of `rtl/plena_pkg.sv` and the table in docs/isa.md follow from it;
docs/extending/format.md says how a format is added.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ElementFormat:
    """A signed element of one byte: sign, exponent, mantissa; exponent field 0 is subnormal.

    Attributes:
        name: as in the documentation.
        exponent_bits: width of the exponent field.
        mantissa_bits: stored significand bits, 1 to 3.
        bias: of the exponent.
        largest: code of the largest magnitude, without the sign bit.
        first_nan: lowest code of a NaN; what lies between `largest` and it is infinity.
        nan: code of the NaN that encoding writes.
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    bias: int
    largest: int
    first_nan: int
    nan: int

    def __post_init__(self) -> None:
        """Refuse a row that contradicts itself."""
        where = f"plena_ref/isa/formats.py: {self.name}"
        if self.exponent_bits + self.mantissa_bits != 7 or not 1 <= self.mantissa_bits <= 3:
            raise ValueError(f"{where}: exponent and mantissa must have 7 bits, the mantissa 1 to 3 of them")
        if not 0 < self.largest < self.first_nan <= self.nan <= 0x7F:
            raise ValueError(f"{where}: 0 < largest < first_nan <= nan <= 7F does not hold")

    @property
    def bytes(self) -> int:
        """Bytes of an element in HBM: the one place that says so."""
        return (1 + self.exponent_bits + self.mantissa_bits) // 8

    def magnitude(self, code: int) -> float:
        """The number that a code of at most `largest` stands for, sign bit aside."""
        fraction = code & (1 << self.mantissa_bits) - 1
        exponent = code >> self.mantissa_bits
        if exponent:
            fraction |= 1 << self.mantissa_bits
        return fraction * 2.0 ** (max(exponent, 1) - self.bias - self.mantissa_bits)


@dataclass(frozen=True)
class ScaleFormat:
    """A scale of one byte, a power of two: 2^(code - bias), but for the NaN."""

    name: str
    bias: int
    nan: int


#: Every element format by name: exponent bits, mantissa bits, bias, largest, first NaN, NaN written.
FORMATS: dict[str, ElementFormat] = {
    entry.name: entry
    for entry in (
        ElementFormat("E4M3", 4, 3, 7, 0x7E, 0x7F, 0x7F),
    )
}  # fmt: skip

#: The scale that a block of elements shares.
SCALE = ScaleFormat("E8M0", 127, 0xFF)

#: The element format of this machine.
ELEMENT = FORMATS["E4M3"]

#: Elements that share one scale unless a machine says otherwise.
BLOCK = 8


def row_bytes(elements: int) -> int:
    """Bytes of HBM that `elements` elements of a row take; their scales lie elsewhere."""
    return elements * ELEMENT.bytes
