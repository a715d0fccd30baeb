"""How the rows of a transfer lie in HBM, MXFP8 or bf16: the one place that knows the bytes of an element."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine import mx
from plena_ref.machine.numerics import U16, bf16_to_f32


@dataclass(frozen=True)
class HbmFormat:
    """The form in HBM of the rows of one class of transfers (docs/isa.md, "HBM instructions").

    Attributes:
        element: key of the element format, where elements are not bf16.
        block: elements that share a scale byte, and the unit of addresses.
        bf16: the rows are raw bf16, little-endian, and have no scales.
    """

    element: str
    block: int
    bf16: bool = False

    @property
    def element_bytes(self) -> int:
        """Bytes of an element."""
        return 2 if self.bf16 else 1

    @property
    def alignment(self) -> int:
        """What offsets and STRIDE are multiples of, in bytes; bases are multiples of the block."""
        return self.element_bytes * self.block

    def row_bytes(self, elements: int) -> int:
        """Bytes that the elements of a row take; their scales lie elsewhere."""
        return elements * self.element_bytes

    def scale_bytes(self, element_bytes: int) -> int:
        """Scale bytes that go with so many element bytes, a multiple of the block; also from row to row."""
        return 0 if self.bf16 else element_bytes // self.block

    def decode(self, elements: mx.U8, scales: mx.U8) -> U16:
        """Raw bf16 [..., n] of element bytes [..., row_bytes(n)] and scale bytes [..., n / block or 0]."""
        if self.bf16:
            return np.ascontiguousarray(elements).view("<u2").astype(np.uint16)
        return mx.decode_rows(elements, scales, self.element)

    def encode(self, bits: U16) -> tuple[mx.U8, mx.U8]:
        """Element bytes [..., row_bytes(n)] and scale bytes [..., n / block or 0] of raw bf16 rows [..., n].

        Raises:
            ValueError: n is not a multiple of the block, and there are blocks.
        """
        if not self.bf16:
            return mx.encode_rows(bits, self.block, self.element)
        elements = np.ascontiguousarray(bits.astype("<u2")).view(np.uint8)
        return elements, np.zeros((*bits.shape[:-1], 0), np.uint8)

    def values(self, bits: U16) -> NDArray[np.float64]:
        """The float64 values that raw bf16 rows [..., n] have on chip after their way through HBM."""
        return bf16_to_f32(self.decode(*self.encode(bits))).astype(np.float64)
