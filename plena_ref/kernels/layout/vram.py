"""Tensors in vector SRAM, column-block-major.

A VRAM tensor of physical shape (R, C) at `base` keeps element (r, c) at
`base + (c div MLEN)*R*MLEN + r*MLEN + c mod MLEN`. A view never changes R: the distance between two
column blocks belongs to the parent tensor. Specified in docs/kernels.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plena_ref.kernels.layout.rules import LayoutError
from plena_ref.machine.regions import Region


@dataclass(frozen=True)
class VramTensor:
    """A column-block-major tensor, or a view of one, in vector SRAM.

    Attributes:
        name: for listings and messages.
        base: element address of element (0, 0), a multiple of MLEN.
        rows, cols: logical shape.
        physical_rows: rows between two column blocks; a view keeps its parent's.
        mlen: row length of the machine, elements.
    """

    name: str
    base: int
    rows: int
    cols: int
    physical_rows: int
    mlen: int

    def __post_init__(self) -> None:
        """Check the placement rules."""
        if self.base % self.mlen:
            raise LayoutError(f"{self.name}: base {self.base} is not a multiple of MLEN = {self.mlen}")
        if not 1 <= self.rows <= self.physical_rows:
            raise LayoutError(f"{self.name}: {self.rows} rows do not fit {self.physical_rows} physical rows")
        if self.cols < 1:
            raise LayoutError(f"{self.name}: needs at least one column")

    @property
    def column_blocks(self) -> int:
        """Number of MLEN-wide column blocks."""
        return -(-self.cols // self.mlen)

    @property
    def physical_cols(self) -> int:
        """Columns including the padding of the last block."""
        return self.column_blocks * self.mlen

    @property
    def block_stride(self) -> int:
        """Elements between the same row of two neighbouring column blocks."""
        return self.physical_rows * self.mlen

    @property
    def elems(self) -> int:
        """Elements of the physical tensor."""
        return self.physical_rows * self.physical_cols

    def address(self, row: int, col: int = 0) -> int:
        """Element address of (row, col); both may run over the physical shape."""
        if not (0 <= row < self.physical_rows and 0 <= col < self.physical_cols):
            shape = f"{self.physical_rows} x {self.physical_cols}"
            raise LayoutError(f"{self.name}: ({row}, {col}) is outside {shape}")
        return self.base + col // self.mlen * self.block_stride + row * self.mlen + col % self.mlen

    def addresses(self, rows: NDArray[np.int64] | None = None, cols: int | None = None) -> NDArray[np.int64]:
        """Element addresses (int64, len(rows) x cols) of the given rows; default: the logical shape."""
        row = np.arange(self.rows) if rows is None else np.asarray(rows)
        col = np.arange(self.cols if cols is None else cols)
        in_row = col // self.mlen * self.block_stride + col % self.mlen
        return self.base + row.astype(np.int64)[:, None] * self.mlen + in_row[None, :]

    def row_view(self, first: int, rows: int) -> VramTensor:
        """Rows first..first+rows-1 of this tensor, at its physical height."""
        return replace(self, base=self.address(first), rows=rows)

    def column_view(self, first: int, cols: int) -> VramTensor:
        """Columns first..first+cols-1 of this tensor; `first` must begin a column block."""
        if first % self.mlen:
            raise LayoutError(f"{self.name}: a column view at {first} begins no block of MLEN = {self.mlen}")
        return replace(self, base=self.address(0, first), cols=cols)

    def row_regions(self, first: int, rows: int) -> list[Region]:
        """The VRAM words of rows first..first+rows-1, a region a column block, padding columns included."""
        starts = [self.address(first, block * self.mlen) for block in range(self.column_blocks)]
        return [Region("vram", start, start + rows * self.mlen, self.name) for start in starts]
