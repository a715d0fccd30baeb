"""V_TOPK: the largest logits, their places and softmax weights (docs/isa.md, "Vector instructions")."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine import numerics


def top_k(logits: NDArray[np.uint16], chosen: int) -> tuple[NDArray[np.uint16], NDArray[np.uint32]]:
    """The `chosen` largest of raw bf16 `logits`, in descending order.

    NaN counts as -infinity, subnormals as zero; equal values, +0 and -0 among them, go by lower index. Each
    weight is exp(x - largest) times the reciprocal of the sum of these exponentials, every step rounded to
    bf16; the sum is a balanced f32 tree. `chosen` is a power of two.

    Returns:
        Weights as raw bf16 uint16[chosen] and indices uint32[chosen].
    """
    values = numerics.bf16_to_f32(logits)
    values = np.where(np.isnan(values), np.float32(-np.inf), values)
    indices = np.argsort(-values, kind="stable")[:chosen]
    best = numerics.f32_to_bf16(values[indices])
    exponentials = numerics.bf16_exp(numerics.bf16_sub(best, best[0]))
    total = numerics.f32_to_bf16(numerics.tree_sum(numerics.bf16_to_f32(exponentials)))
    weights = numerics.bf16_mul(exponentials, numerics.bf16_reciprocal(total))
    return weights, indices.astype(np.uint32)
