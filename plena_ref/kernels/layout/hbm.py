"""Tensors in HBM: MXFP8 elements, row-major, directly followed by their scales (docs/isa.md section 6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plena_ref.kernels.layout.rules import LayoutError, round_up
from plena_ref.machine.hardware import Hardware

#: Element and scale bytes of an HBM tensor are each padded to this many bytes.
HBM_PADDING_BYTES = 32


@dataclass(frozen=True)
class HbmTensor:
    """A tensor in HBM: element bytes row-major over the physical columns, directly followed by scale bytes.

    Attributes:
        name: for listings and messages.
        base: byte address.
        rows, cols: physical shape; cols is a multiple of `mx_block`.
        mx_block: elements that share a scale byte.
    """

    name: str
    base: int
    rows: int
    cols: int
    mx_block: int

    def __post_init__(self) -> None:
        """Check the block rule."""
        if self.cols % self.mx_block:
            rule = f"not a multiple of MX_BLOCK = {self.mx_block}"
            raise LayoutError(f"{self.name}: {self.cols} columns are {rule}")

    @property
    def elems(self) -> int:
        """Elements, and element bytes."""
        return self.rows * self.cols

    @property
    def scale_offset(self) -> int:
        """Bytes from the base to the first scale byte: what SCALE holds for this tensor."""
        return self.elems

    @property
    def footprint(self) -> int:
        """Bytes that the tensor takes, both parts padded (docs/isa.md section 6)."""
        scales = self.elems // self.mx_block
        return round_up(self.elems, HBM_PADDING_BYTES) + round_up(scales, HBM_PADDING_BYTES)

    def offset(self, row: int, col: int = 0) -> int:
        """Byte offset of element (row, col) from the base."""
        if not (0 <= row < self.rows and 0 <= col < self.cols):
            raise LayoutError(f"{self.name}: ({row}, {col}) is outside {self.rows} x {self.cols}")
        return row * self.cols + col

    def store(self, hbm: np.ndarray, elements: np.ndarray, scales: np.ndarray) -> None:
        """Write elements (uint8, rows x cols) and scales (uint8, rows x cols/mx_block) into `hbm`."""
        shape = (self.rows, self.cols)
        if elements.shape != shape or scales.shape != (self.rows, self.cols // self.mx_block):
            raise LayoutError(f"{self.name}: bytes of shape {elements.shape} and {scales.shape} do not fit")
        first_scale = self.base + self.scale_offset
        hbm[self.base : self.base + self.elems] = elements.reshape(-1)
        hbm[first_scale : first_scale + scales.size] = scales.reshape(-1)


@dataclass(frozen=True)
class HbmLast(HbmTensor):
    """A tensor whose last scale byte is the last byte below LIMIT: a row past its end cannot be transferred.

    Attributes:
        gap: bytes between its elements and its scales.
    """

    gap: int = 0

    @property
    def scale_offset(self) -> int:
        """Bytes from the base to the first scale byte: what SCALE holds for this tensor."""
        return self.elems + self.gap

    @property
    def footprint(self) -> int:
        """Bytes that the tensor takes, with what lies between its parts."""
        return self.scale_offset + self.elems // self.mx_block


def hbm_alignment(hw: Hardware) -> int:
    """Alignment of an HBM tensor's base in bytes: MLEN, from MLEN 256 on MLEN^2 (docs/isa.md section 6)."""
    return hw.tile_elems if hw.mlen >= 256 else hw.mlen
