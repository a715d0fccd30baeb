"""Attention in float64: softmax(scale * Q K^T + mask) V, per batch and head.

Grouped queries: Ainslie et al. 2023. A sink is a logit without a value; its exponential joins the
denominator.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def softmax_scale(head_dim: int) -> float:
    """1/sqrt(head_dim), Vaswani et al. 2017, equation 1."""
    return 1.0 / float(np.sqrt(head_dim))


def visible_keys(seq: int, kv_seq: int, causal: bool, window: int | None = None) -> NDArray[np.bool_]:
    """Boolean seq x kv_seq: which keys a query sees; the queries are the last of the kv_seq positions.

    Args:
        seq, kv_seq: queries and keys.
        causal: hide the keys after a query's position.
        window: hide all but the last `window` of what is left, counted from the query's position.
    """
    positions = np.arange(seq)[:, None] + (kv_seq - seq)
    age = positions - np.arange(kv_seq)[None, :]
    visible = age >= 0 if causal else np.ones((seq, kv_seq), dtype=bool)
    return visible if window is None else visible & (age < window)


def attention(
    q: F64, k: F64, v: F64, causal: bool, window: int | None = None, sinks: F64 | None = None
) -> F64:
    """Multi-head attention.

    Args:
        q: batch x heads x seq x head_dim, the values the machine starts from (bf16).
        k, v: batch x kv_heads x kv_seq x head_dim, dequantised from MXFP8; query head h uses head
            h div (heads/kv_heads).
        causal: hide the keys after each query's position.
        window: as for `visible_keys`.
        sinks: a logit a query head, or None.

    Returns:
        batch x heads x seq x head_dim.

    Raises:
        ValueError: shapes disagree, or a query sees no key.
    """
    fits = k.shape == v.shape and q.shape[0] == k.shape[0] and q.shape[3] == k.shape[3]
    if not fits or q.shape[1] % k.shape[1] or (sinks is not None and sinks.shape != q.shape[1:2]):
        raise ValueError(f"shapes disagree: q {q.shape}, k {k.shape}, v {v.shape}")
    visible = visible_keys(q.shape[2], k.shape[2], causal, window)
    if not visible.any(axis=1).all():
        raise ValueError("a query sees no key")
    return attention_to(q, k, v, visible, sinks)


def attention_to(q: F64, k: F64, v: F64, visible: NDArray[np.bool_], sinks: F64 | None = None) -> F64:
    """As `attention`, to the keys of any mask: boolean seq x kv_seq, every row of which sees one."""
    k, v = (np.repeat(tensor, q.shape[1] // k.shape[1], axis=1) for tensor in (k, v))
    scores = softmax_scale(q.shape[3]) * np.einsum("bhqd,bhkd->bhqk", q, k)
    scores = np.where(visible, scores, -np.inf)
    logits = np.full((q.shape[1], 1, 1), -np.inf) if sinks is None else sinks[:, None, None]
    maxima = np.maximum(scores.max(axis=-1, keepdims=True), logits)
    weights = np.exp(scores - maxima)
    weights /= weights.sum(axis=-1, keepdims=True) + np.exp(logits - maxima)
    result: F64 = np.einsum("bhqk,bhkd->bhqd", weights, v)
    return result
