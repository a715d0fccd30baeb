"""Named tensors in the memories of a machine: from an address to batch, head, row and column, and back.

A tensor in VRAM lies a block of columns at a time, one in HBM row after row with its scales after its
elements (docs/kernels.md, docs/isa.md, "HBM instructions"). Here both are one record of numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.hbm_format import HbmFormat
from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.machine.state import MemoryImages

Addresses = NDArray[np.int64]


@dataclass(frozen=True)
class Elements:
    """Elements of one tensor, one entry of each array for each of them.

    Attributes:
        batch, row: batch, and row inside it.
        head, column: head, and column inside it.
        scales: the words are scale bytes; `column` is the first element of each block.
    """

    batch: Addresses
    row: Addresses
    head: Addresses
    column: Addresses
    scales: NDArray[np.bool_]


@dataclass(frozen=True)
class NamedTensor:
    """Where a tensor lies.

    Attributes:
        name: as in listings.
        memory: vram, msram, fpmem, intmem or hbm.
        base: address of its first word.
        rows, cols: physical shape, padding included.
        block_cols: columns that lie side by side in a row; then come the rows of the next columns.
        rows_per_batch: rows from batch to batch.
        active_rows: rows of a batch that hold something; the others are padding.
        head_cols: columns from head to head.
        form: how its elements lie in HBM; None elsewhere, where a word is an element.
        scale_base: address of its first scale byte, in HBM.
    """

    name: str
    memory: str
    base: int
    rows: int
    cols: int
    block_cols: int
    rows_per_batch: int
    active_rows: int
    head_cols: int
    form: HbmFormat | None = None
    scale_base: int = 0

    @property
    def batches(self) -> int:
        """Number of batches."""
        return -(-self.rows // self.rows_per_batch)

    @property
    def heads(self) -> int:
        """Number of heads."""
        return -(-self.cols // self.head_cols)

    @property
    def words(self) -> int:
        """Words of the elements."""
        return self.rows * self.cols * (1 if self.form is None else self.form.element_bytes)

    @property
    def scale_words(self) -> int:
        """Scale bytes."""
        return 0 if self.form is None else self.form.scale_bytes(self.words)

    def holds(self, addresses: Addresses) -> NDArray[np.bool_]:
        """Which words belong to it, elements and scales."""
        inside = (addresses >= self.base) & (addresses < self.base + self.words)
        scales = (addresses >= self.scale_base) & (addresses < self.scale_base + self.scale_words)
        return inside | scales

    def elements(self, addresses: Addresses) -> Elements:
        """What the words at `addresses`, all of them its own, are."""
        scales = (addresses < self.base) | (addresses >= self.base + self.words)
        offset = addresses - self.base
        if self.form is not None:
            scale_offset = (addresses - self.scale_base) * self.form.block
            offset = np.where(scales, scale_offset, offset // self.form.element_bytes)
        block, rest = np.divmod(offset, self.rows * self.block_cols)
        row, column = np.divmod(rest, self.block_cols)
        batch, row = np.divmod(row, self.rows_per_batch)
        head, column = np.divmod(block * self.block_cols + column, self.head_cols)
        return Elements(batch, row, head, column, scales)

    def addresses(self) -> Addresses:
        """The first word of every element: int64 [rows, cols]."""
        row, column = np.arange(self.rows)[:, None], np.arange(self.cols)[None, :]
        block, column = np.divmod(column, self.block_cols)
        element = block * self.rows * self.block_cols + row * self.block_cols + column
        return self.base + element * (1 if self.form is None else self.form.element_bytes)

    def values(self, images: MemoryImages) -> NDArray[np.float32] | NDArray[np.uint32]:
        """Its elements as numbers, [rows, cols]: float32, of INT_MEM uint32."""
        memory = getattr(images, self.memory)
        if self.form is not None:
            elements = memory[self.base : self.base + self.words].reshape(self.rows, -1)
            scales = memory[self.scale_base : self.scale_base + self.scale_words].reshape(self.rows, -1)
            return bf16_to_f32(self.form.decode(elements, scales))
        words = memory[self.addresses()]
        return words if self.memory == "intmem" else bf16_to_f32(words)


def plain(name: str, memory: str, base: int, rows: int, cols: int) -> NamedTensor:
    """A tensor without batches and heads whose rows follow one another."""
    return NamedTensor(name, memory, base, rows, cols, cols, rows, rows, cols)
