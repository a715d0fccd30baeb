"""The embedding rounds nothing: a row of the table is made of bf16 numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.roundings import F64, ResultRounding, as_heads
from plena_ref.golden.embedding import embedding

STAGES: dict[str, str] = {"X": "rows of the table, as dequantised"}


def embedding_rounding(table: F64, ids: NDArray[np.int64]) -> ResultRounding:
    """The model of one problem; its golden is one head, batch x seq x 1 x features.

    Args:
        table: vocabulary x features, the values the machine reads.
        ids: batch x seq.
    """
    return ResultRounding(STAGES, as_heads(embedding(table, ids)))
