"""What the stages of decoder and encoder layers have in common: how tensors are read, and shared stages.

A stage's parts are its inputs, its output, golden and bound, as `plena_ref.verdict.stages.Stage` has them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from plena_ref.analysis.attention_problem import AttentionProblem
from plena_ref.analysis.attention_roundings import AttentionRoundings
from plena_ref.analysis.roundings import sum_of
from plena_ref.analysis.schedule import SCHEDULES, Sizes
from plena_ref.golden.attention import attention
from plena_ref.golden.mxfp8 import quantised_heads
from plena_ref.golden.residual_add import residual_add
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict import attention_tolerance
from plena_ref.verdict.error_bound import UNIT
from plena_ref.verdict.rounding_count import F32_UNIT, FLUSHED_OF_SUM, counted_error
from plena_ref.verdict.stages import Reader
from plena_ref.workloads.base import F64

#: Inputs, output, golden and bound.
Parts = tuple[tuple[Reader, ...], Reader, Callable[..., F64], Callable[..., F64]]


def rows_of(tensor: BatchedVram, size: int, columns: int | None = None) -> Reader:
    """Activations: batch x seq x features.

    Args:
        tensor: heads side by side, or plain features.
        size: features of a head, or of a row.
        columns: from head to head; None: the row is one.
    """

    def read(images: MemoryImages) -> F64:
        rows = np.arange(tensor.batch)[:, None] * tensor.rows_per_batch + np.arange(tensor.seq)
        cols = tensor.parent.physical_cols
        bits = images.vram[tensor.parent.addresses(rows.reshape(-1), cols)]
        values = bf16_to_f32(bits).astype(np.float64).reshape(tensor.batch, tensor.seq, -1, columns or cols)
        return values[..., :size].reshape(tensor.batch, tensor.seq, -1)

    return read


def cache_of(cache: HbmTensor, rows_per_batch: int, positions: range, size: int, columns: int) -> Reader:
    """Positions of a cache: batch x positions x (heads*size)."""

    def read(images: MemoryImages) -> F64:
        first = cache.base + cache.scale_offset
        elements = images.hbm[cache.base : cache.base + cache.element_bytes]
        scales = images.hbm[first : first + cache.scale_bytes]
        bits = cache.form.decode(elements.reshape(cache.rows, -1), scales.reshape(cache.rows, -1))
        values = bf16_to_f32(bits).astype(np.float64)
        heads = values.reshape(-1, rows_per_batch, cache.cols // columns, columns)
        chosen = heads[:, positions.start : positions.stop, :, :size]
        return chosen.reshape(len(heads), len(positions), -1)

    return read


def heads_of(rows: F64, head_dim: int) -> F64:
    """batch x seq x (heads*head_dim) as batch x heads x seq x head_dim."""
    batch, seq, _ = rows.shape
    return rows.reshape(batch, seq, -1, head_dim).transpose(0, 2, 1, 3)


def rows_of_heads(heads: F64) -> F64:
    """The opposite of `heads_of`."""
    batch, _, seq, _ = heads.shape
    return heads.transpose(0, 2, 1, 3).reshape(batch, seq, -1)


def sum_parts(x: Reader, y: Reader) -> Parts:
    """The residual add, whose result takes X's place."""
    return (x, y), x, residual_add, lambda a, b: counted_error(a + b, UNIT + F32_UNIT, FLUSHED_OF_SUM)


def store_parts(hw: Hardware, head_dim: int, columns: int, rows: Reader, cache: Reader) -> Parts:
    """K or V of new positions to a cache: exactly MXFP8 of the bits that were stored."""
    form = hw.hbm_format("v", 0)

    def stored(values: F64) -> F64:
        return rows_of_heads(quantised_heads(heads_of(values, head_dim), form, columns))

    return (rows,), cache, stored, np.zeros_like


def attention_parts(hw: Hardware, shape: AttentionShape, q: Reader, k: Reader, v: Reader, o: Reader) -> Parts:
    """Attention on caches, an element at a time within what its roundings come to, as a case of attention."""
    sizes = Sizes(
        shape.batch,
        shape.seq,
        shape.kv_seq,
        shape.heads,
        shape.kv_heads or shape.heads,
        shape.head_dim,
        shape.causal,
        packed_output=True,
    )
    schedule = SCHEDULES["cached_attention"](hw, sizes)

    def heads(rows: tuple[F64, ...]) -> list[F64]:
        return [heads_of(one, shape.head_dim) for one in rows]

    def mixed(*rows: F64) -> F64:
        q, k, v = heads(rows)
        return rows_of_heads(attention(q, k, v, shape.causal))

    def error(*rows: F64) -> F64:
        q, k, v = heads(rows)
        model = AttentionRoundings(AttentionProblem(q, k, v, shape.causal, None, None), schedule)
        variance = sum_of(model.variances().values()).transpose(0, 2, 1, 3)
        known = (q, k, v, shape.causal, -(-shape.kv_seq // hw.mlen), None, None)
        lower, upper = attention_tolerance.interval(*known, variance, attention_tolerance.flush_error(*known))
        exact = attention(q, k, v, shape.causal)
        return rows_of_heads(np.maximum(upper - exact, exact - lower))

    return (q, k, v), o, mixed, error
