"""Top-k rounds nothing: values are chosen, not made."""

from __future__ import annotations

from plena_ref.analysis.roundings import F64, ResultRounding, as_heads
from plena_ref.golden.top_k import top_k

STAGES: dict[str, str] = {"Y": "the values that were chosen"}


def top_k_rounding(logits: F64, count: int) -> ResultRounding:
    """The model of one problem; its golden is one head, batch x seq x 1 x count.

    Args:
        logits: batch x seq x vocabulary, bf16 values.
        count: how many are chosen.
    """
    return ResultRounding(STAGES, as_heads(top_k(logits, count)[0]))
