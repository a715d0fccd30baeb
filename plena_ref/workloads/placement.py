"""How the tensors of kernels are described to the verdict."""

from __future__ import annotations

from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.verdict.comparison import ComparisonParameters


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
