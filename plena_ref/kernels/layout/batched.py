"""Batches in a VRAM tensor: each batch owns a run of rows, in slabs of whole tiles or packed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.kernels.layout.rules import LayoutError
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.machine.regions import Region

Element = TypeVar("Element", bound=np.generic)


@dataclass(frozen=True)
class BatchedVram:
    """A VRAM tensor whose rows belong to several batches: batch b owns rows b*rows_per_batch .. +seq.

    Attributes:
        parent: the whole tensor; its physical height spans all batches.
        batch: number of batches.
        seq: active rows of a batch.
        rows_per_batch: rows between two batches: a multiple of MLEN (slabs), or seq (packed).
    """

    parent: VramTensor
    batch: int
    seq: int
    rows_per_batch: int

    def __post_init__(self) -> None:
        """Check that the batches fit the parent."""
        name, step = self.parent.name, self.rows_per_batch
        if step < self.seq:
            raise LayoutError(f"{name}: rows_per_batch {step} is below seq {self.seq}")
        if (self.batch - 1) * step + self.seq > self.parent.physical_rows:
            raise LayoutError(f"{name}: {self.batch} batches of {step} rows do not fit")

    @property
    def batch_stride(self) -> int:
        """Elements from a row of one batch to the same row of the next: whole rows, in every column block."""
        return self.rows_per_batch * self.parent.mlen

    def batch_view(self, index: int) -> VramTensor:
        """The active rows of one batch; column blocks stay as far apart as in the parent."""
        return replace(
            self.parent,
            base=self.parent.base + index * self.batch_stride,
            rows=self.seq,
            physical_rows=self.parent.physical_rows,
        )

    def store(self, vram: NDArray[np.uint16], values: NDArray[np.uint16]) -> None:
        """Write raw bf16 `values` (uint16, batch x n x cols) into rows 0..n-1 of each batch."""
        batch, rows, cols = values.shape
        if batch != self.batch or rows > self.rows_per_batch or cols > self.parent.physical_cols:
            raise LayoutError(f"{self.parent.name}: values {values.shape} do not fit its slabs")
        physical = (np.arange(batch)[:, None] * self.rows_per_batch + np.arange(rows)).reshape(-1)
        vram[self.parent.addresses(physical, cols)] = values.reshape(batch * rows, cols)

    def active_regions(self) -> list[Region]:
        """The VRAM words of the active rows, padding columns included."""
        regions: list[Region] = []
        for index in range(self.batch):
            regions += self.parent.row_regions(index * self.rows_per_batch, self.seq)
        return regions


def remap_rows(compact: NDArray[Element], seq: int, rows_per_batch: int, fill: int = 0) -> NDArray[Element]:
    """Put packed rows (batch*seq x cols) back at `rows_per_batch` stride; the other rows hold `fill`.

    This is what a decoder does to an attention output whose batches are packed at seq stride before the next
    operator reads it as slabs.

    Raises:
        LayoutError: seq does not divide the rows, or exceeds rows_per_batch.
    """
    rows, cols = compact.shape
    if rows % seq or seq > rows_per_batch:
        raise LayoutError(f"cannot remap {rows} rows of seq {seq} to slabs of {rows_per_batch}")
    slabs = np.full((rows // seq, rows_per_batch, cols), fill, dtype=compact.dtype)
    slabs[:, :seq] = compact.reshape(-1, seq, cols)
    return slabs.reshape(-1, cols)
