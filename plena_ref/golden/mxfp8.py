"""The values of a tensor that has been through HBM: what goldens of quantised tensors start from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.hbm_format import HbmFormat
from plena_ref.machine.numerics import bf16_from_float

F64 = NDArray[np.float64]


def quantised_rows(rows: F64, form: HbmFormat) -> F64:
    """bf16 values [..., n] after their way through HBM; zeros fill up the last block that shares a scale."""
    width = rows.shape[-1]
    padded = np.zeros((*rows.shape[:-1], -(-width // form.block) * form.block))
    padded[..., :width] = rows
    return form.values(bf16_from_float(padded))[..., :width]


def quantised_heads(values: F64, form: HbmFormat, columns: int) -> F64:
    """Heads side by side in rows, `columns` apart with zeros between them, after their way through HBM.

    Args:
        values: batch x heads x n x head_dim, bf16 values.
        form: how they lie in HBM; elements that share a scale may belong to two heads.
        columns: from the first column of a head to that of the next, at least head_dim.

    Returns:
        As `values`.
    """
    batch, heads, n, head_dim = values.shape
    rows = np.zeros((batch, n, heads, columns))
    rows[..., :head_dim] = values.transpose(0, 2, 1, 3)
    read = quantised_rows(rows.reshape(batch, n, heads * columns), form)
    return read.reshape(batch, n, heads, columns)[..., :head_dim].transpose(0, 2, 1, 3)
