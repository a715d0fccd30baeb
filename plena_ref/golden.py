"""Attention in float64, the numerical golden: softmax(scale * Q K^T + mask) V, per batch and head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def softmax_scale(head_dim: int) -> float:
    """1/sqrt(head_dim), Vaswani et al. 2017, equation 1."""
    return 1.0 / float(np.sqrt(head_dim))


def visible_keys(seq: int, kv_seq: int, causal: bool) -> NDArray[np.bool_]:
    """Boolean seq x kv_seq: which keys a query sees; the queries are the last of the kv_seq positions."""
    if not causal:
        return np.ones((seq, kv_seq), dtype=bool)
    positions = np.arange(seq)[:, None] + (kv_seq - seq)
    return np.arange(kv_seq)[None, :] <= positions


def attention(q: F64, k: F64, v: F64, causal: bool) -> F64:
    """Multi-head attention.

    Args:
        q: batch x heads x seq x head_dim, the values the machine starts from (bf16).
        k, v: batch x heads x kv_seq x head_dim, dequantised from MXFP8.
        causal: hide the keys behind each query's position.

    Returns:
        batch x heads x seq x head_dim.

    Raises:
        ValueError: shapes disagree, or a query sees no key.
    """
    if k.shape != v.shape or q.shape[:2] != k.shape[:2] or q.shape[3] != k.shape[3]:
        raise ValueError(f"shapes disagree: q {q.shape}, k {k.shape}, v {v.shape}")
    visible = visible_keys(q.shape[2], k.shape[2], causal)
    if not visible.any(axis=1).all():
        raise ValueError("a query sees no key")
    scores = softmax_scale(q.shape[3]) * np.einsum("bhqd,bhkd->bhqk", q, k)
    scores = np.where(visible, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.einsum("bhqk,bhkd->bhqd", weights, v)
