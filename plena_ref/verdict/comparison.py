"""Where a result lies in VRAM, in the terms of PLENA's verifier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ResultPlace:
    """Which VRAM words hold a result; the attributes are named after the keys of `comparison_params.json`.

    The golden is compact: `num_batches` rows (batch*seq) of `elements_per_batch` columns. The VRAM result is
    a column-block-major tensor in which batch b begins at row b*rows_per_batch; padding is never compared.

    Attributes:
        start_row_idx: VRAM row of the result's first row.
        num_rows: VRAM rows that the whole physical tensor takes.
        num_batches: active rows, batch*seq.
        elements_per_batch: columns of a physical row, column padding included.
        row_dim: elements of a VRAM row, MLEN.
        physical_rows: rows between two column blocks.
        use_stride_mode: a result row is spread over several column blocks.
        rows_per_batch: rows between two batches.
        active_seq_per_batch: active rows of a batch.
    """

    start_row_idx: int
    num_rows: int
    num_batches: int
    elements_per_batch: int
    row_dim: int
    physical_rows: int
    use_stride_mode: bool
    rows_per_batch: int
    active_seq_per_batch: int

    @property
    def batch(self) -> int:
        """Number of batches."""
        return self.num_batches // self.active_seq_per_batch


@dataclass(frozen=True)
class ComparisonParameters(ResultPlace):
    """Where a tensor of ours lies: whole rows in column blocks."""

    def extract(self, vram: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """The active rows of `vram` (uint16) as a compact num_batches x elements_per_batch array."""
        rows = vram.reshape(-1, self.row_dim)[self.start_row_idx : self.start_row_idx + self.num_rows]
        blocks = rows.reshape(-1, self.physical_rows, self.row_dim)
        dense = blocks.transpose(1, 0, 2).reshape(self.physical_rows, self.elements_per_batch)
        batch, row = np.divmod(np.arange(self.num_batches), self.active_seq_per_batch)
        result: NDArray[np.uint16] = dense[batch * self.rows_per_batch + row]
        return result
