"""Tensors in HBM: row-major elements, directly followed by their scales (docs/isa.md, "HBM instructions")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.kernels.layout.rules import LayoutError, round_up
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.hbm_format import HbmFormat

#: Element and scale bytes of an HBM tensor are each padded to this many bytes.
HBM_PADDING_BYTES = 32


@dataclass(frozen=True)
class HbmTensor:
    """A tensor in HBM: element bytes row-major over the physical columns, directly followed by scale bytes.

    Attributes:
        name: for listings and messages.
        base: byte address.
        rows, cols: physical shape; cols is a multiple of the elements that share a scale byte.
        form: how its elements lie, from `Hardware.hbm_format`.
    """

    name: str
    base: int
    rows: int
    cols: int
    form: HbmFormat

    def __post_init__(self) -> None:
        """Check the block rule."""
        if self.cols % self.form.block:
            rule = f"not a multiple of MX_BLOCK = {self.form.block}"
            raise LayoutError(f"{self.name}: {self.cols} columns are {rule}")

    def span(self, elements: int) -> int:
        """Bytes that neighbouring elements of a row take."""
        return self.form.row_bytes(elements)

    @property
    def row_bytes(self) -> int:
        """Bytes from row to row: what STRIDE holds for this tensor."""
        return self.span(self.cols)

    @property
    def element_bytes(self) -> int:
        """Bytes of all elements."""
        return self.rows * self.row_bytes

    @property
    def scale_bytes(self) -> int:
        """Bytes of all scales."""
        return self.form.scale_bytes(self.element_bytes)

    @property
    def scale_offset(self) -> int:
        """Bytes from the base to the first scale byte: what SCALE holds for this tensor."""
        return self.element_bytes

    @property
    def footprint(self) -> int:
        """Bytes that the tensor takes, both parts padded (docs/isa.md, "HBM instructions")."""
        elements, scales = self.element_bytes, self.scale_bytes
        return round_up(elements, HBM_PADDING_BYTES) + round_up(scales, HBM_PADDING_BYTES)

    def offset(self, row: int, col: int = 0) -> int:
        """Byte offset of element (row, col) from the base."""
        if not (0 <= row < self.rows and 0 <= col < self.cols):
            raise LayoutError(f"{self.name}: ({row}, {col}) is outside {self.rows} x {self.cols}")
        return row * self.row_bytes + self.span(col)

    def store(self, hbm: NDArray[np.uint8], rows: NDArray[np.uint16]) -> None:
        """Write raw bf16 values (uint16, rows x cols) into `hbm` as the tensor holds them."""
        if rows.shape != (self.rows, self.cols):
            raise LayoutError(f"{self.name}: values of shape {rows.shape} do not fit")
        elements, scales = self.form.encode(rows)
        first_scale = self.base + self.scale_offset
        hbm[self.base : self.base + self.element_bytes] = elements.reshape(-1)
        hbm[first_scale : first_scale + self.scale_bytes] = scales.reshape(-1)


@dataclass(frozen=True)
class HbmLast(HbmTensor):
    """A tensor whose last byte is the last below LIMIT: a row past its end cannot be transferred.

    Attributes:
        gap: bytes between its elements and its scales.
    """

    gap: int = 0

    @property
    def scale_offset(self) -> int:
        """Bytes from the base to the first scale byte: what SCALE holds for this tensor."""
        return self.element_bytes + self.gap

    @property
    def footprint(self) -> int:
        """Bytes that the tensor takes, with what lies between its parts."""
        return self.scale_offset + self.scale_bytes


def hbm_alignment(hw: Hardware) -> int:
    """Alignment of a base in bytes: MLEN, from MLEN 256 on MLEN^2 (docs/isa.md, "HBM instructions")."""
    return hw.tile_elems if hw.mlen >= 256 else hw.mlen
