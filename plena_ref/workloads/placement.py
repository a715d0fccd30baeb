"""Where a case's tensors begin, and how they are described to the verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.verdict.comparison import ComparisonParameters

#: First HBM byte of the tensors: not 0, so that a kernel that drops the base address fails.
HBM_START = 1 << 12


def comparison_of(tensor: BatchedVram) -> ComparisonParameters:
    """Which VRAM words hold a batched result."""
    parent = tensor.parent
    return ComparisonParameters(
        start_row_idx=parent.base // parent.mlen,
        num_rows=parent.elems // parent.mlen,
        num_batches=tensor.batch * tensor.seq,
        elements_per_batch=parent.physical_cols,
        row_dim=parent.mlen,
        physical_rows=parent.physical_rows,
        use_stride_mode=parent.column_blocks > 1,
        rows_per_batch=tensor.rows_per_batch,
        active_seq_per_batch=tensor.seq,
    )


def stage_rows(tensor: VramTensor, vram: NDArray[np.uint16], values: NDArray[np.uint16], rows: int) -> None:
    """Write raw bf16 rows into a tensor; rows up to `rows` and columns up to a whole block become 0."""
    staged = np.zeros((rows, tensor.physical_cols), np.uint16)
    staged[: values.shape[0], : values.shape[1]] = values
    vram[tensor.addresses(np.arange(rows), tensor.physical_cols)] = staged


def stage_panels(
    panels: Sequence[HbmTensor],
    hbm: NDArray[np.uint8],
    values: NDArray[np.uint16],
    together: int | None = None,
) -> NDArray[np.float64]:
    """Put a raw bf16 matrix into HBM, a tensor a panel of columns, the padding 0.

    Args:
        panels: their rows are those of the matrix rounded up to whole tiles.
        hbm: its bytes.
        values: the matrix.
        together: neighbouring columns that lie side by side in a tile, beside those of the next blocks of
            rows (docs/kernels.md, "Linear layer"); None for all of a panel.

    Returns:
        What the machine reads, shaped as `values`.
    """
    rows, width = panels[0].rows, panels[0].cols
    padded = np.zeros((rows, len(panels) * width), np.uint16)
    padded[: values.shape[0], : values.shape[1]] = values
    read = []
    for tensor, panel in zip(panels, np.split(padded, len(panels), axis=1), strict=True):
        tensor.store(hbm, panel if together is None else _in_tiles(panel, together))
        read.append(tensor.form.values(panel))
    return np.concatenate(read, axis=1)[: values.shape[0], : values.shape[1]]


def _in_tiles(panel: NDArray[np.uint16], together: int) -> NDArray[np.uint16]:
    """A panel as its tiles hold it: `together` columns of each block of rows, block by block."""
    width = panel.shape[1]
    # Block of rows, row, group of columns, column.
    parts = panel.reshape(-1, width, width // together, together)
    in_order = parts.transpose(2, 0, 1, 3).reshape(-1, width // together, width, together)
    return in_order.transpose(0, 2, 1, 3).reshape(panel.shape)


def stage_column_blocks(
    tensor: HbmTensor, hbm: NDArray[np.uint8], values: NDArray[np.uint16]
) -> NDArray[np.float64]:
    """Put a raw bf16 matrix into HBM along its rows, a block of columns at a time, the padding 0.

    Args:
        tensor: all rows of the first block of columns, then those of the second, and so on.

    Returns:
        What the machine reads, shaped as `values`.
    """
    rows, features = values.shape
    blocks, width = tensor.rows // rows, tensor.cols
    padded = np.zeros((rows, blocks * width), np.uint16)
    padded[:, :features] = values
    stacked = padded.reshape(rows, blocks, width).transpose(1, 0, 2).reshape(-1, width)
    tensor.store(hbm, stacked)
    read = tensor.form.values(stacked).reshape(blocks, rows, width)
    return read.transpose(1, 0, 2).reshape(rows, -1)[:, :features]
