"""Attention on caches that the same program fills: K and V of new positions are stored, then all are read.

Activations are packed: the rows of Q, of the new K and V, and of O lie one batch after the other, as linear
layers write and read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from plena_ref.kernels.attention.base import AttentionBase, SelfPlacing
from plena_ref.kernels.attention.constants import FP_STATE, fp_sinks
from plena_ref.kernels.attention.decode import DecodeAttentionKernel
from plena_ref.kernels.attention.flash import AttentionKernel
from plena_ref.kernels.attention.operands import AttentionOperands
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.cache_store import CacheStore, cache_rows_per_batch
from plena_ref.kernels.layout.allocators import Batches
from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.sequence import OperatorSequence
from plena_ref.machine.hardware import Hardware


@dataclass(frozen=True)
class Caches:
    """K and V of all positions in HBM, heads side by side, batches one below the other.

    Attributes:
        k, v: the tensors; rows that hold no position yet hold finite numbers.
        rows_per_batch: rows from batch to batch.
    """

    k: HbmTensor
    v: HbmTensor
    rows_per_batch: int

    @classmethod
    def place(cls, hw: Hardware, shape: AttentionShape, positions: int, room: Room) -> Caches:
        """Caches for so many positions of each batch.

        Raises:
            LayoutError: HBM is full.
        """
        rows = cache_rows_per_batch(hw, positions)
        head_cols = round_up(shape.head_dim, hw.mlen)
        cols, batches = shape.kv_heads * head_cols, Batches(rows, shape.kv_seq, head_cols)
        k, v = (
            room.hbm.tensor(name, shape.batch * rows, cols, (("m", 0), ("v", 0)), batches) for name in "KV"
        )
        return cls(k, v, rows)


def attention_words(hw: Hardware, shape: AttentionShape) -> int:
    """FP_MEM words that the host stages for attention, with those of the softmax state between them."""
    return fp_sinks(hw) + shape.heads if shape.sinks else FP_STATE


def cached_operands(
    hw: Hardware, shape: AttentionShape, q: BatchedVram, caches: Caches, o: BatchedVram, constants: int
) -> AttentionOperands:
    """Attention's operands on tensors that have their places; `constants` as from `attention_words`."""
    head_cols = round_up(shape.head_dim, hw.mlen)
    return AttentionOperands(
        shape=shape,
        q=q,
        k=caches.k,
        v=caches.v,
        o=o,
        head_cols=head_cols,
        kv_head_cols=head_cols,
        kv_rows_per_batch=caches.rows_per_batch,
        constants=constants,
        sinks=constants + fp_sinks(hw) if shape.sinks else None,
    )


def attention_operator(
    hw: Hardware, shape: AttentionShape, operands: AttentionOperands, room: Room
) -> AttentionBase:
    """The kernel for a shape: the decode step for a single query, else flash attention."""
    kernel = DecodeAttentionKernel if shape.seq == 1 and shape.group <= hw.mlen else AttentionKernel
    return kernel(hw, shape, operands, room)


@dataclass(frozen=True)
class CachedOperands(AttentionOperands):
    """Attention's operands, and the rows of K and V that are not in the caches yet.

    Attributes:
        new_k, new_v: packed, heads as in the caches.
    """

    new_k: BatchedVram
    new_v: BatchedVram


class CachedAttentionKernel(OperatorSequence, SelfPlacing[CachedOperands]):
    """K and V of the last `seq` positions to their caches, then attention to all `kv_seq` of them.

    Args:
        hw: the machine.
        shape: the problem.
        operands: its tensors, from `place`.
        room: where to take scratch from.
    """

    #: Nothing depends on what O held before.
    needs_finite_output: ClassVar[bool] = False

    def __init__(self, hw: Hardware, shape: AttentionShape, operands: CachedOperands, room: Room) -> None:
        self.operands = operands
        stores = []
        for rows, cache in ((operands.new_k, operands.k), (operands.new_v, operands.v)):
            with room.scratch():
                place = (cache, operands.kv_rows_per_batch, shape.query_offset)
                stores.append(CacheStore(hw, rows, *place, room))
        with room.scratch():
            attention = attention_operator(hw, shape, operands, room)
        super().__init__(f"attention with caches: {shape}", [*stores, attention])
        self.attention = attention

    @property
    def block_tiles(self) -> int:
        """Key tiles of a block of flash attention."""
        assert isinstance(self.attention, AttentionKernel)
        return self.attention.block_tiles

    @staticmethod
    def place(hw: Hardware, shape: AttentionShape, room: Room) -> CachedOperands:
        """Q, new K and V, O, and caches for all positions.

        Raises:
            KernelError: the shape breaks a rule.
            LayoutError: a memory is full.
        """
        shape.check(hw)
        head_cols = round_up(shape.head_dim, hw.mlen)
        widths = {"Q": shape.heads, "new K": shape.kv_heads, "new V": shape.kv_heads, "O": shape.heads}
        q, new_k, new_v, o = (
            room.vram.packed(name, shape.batch, shape.seq, heads * head_cols, head_cols)
            for name, heads in widths.items()
        )
        caches = Caches.place(hw, shape, shape.kv_seq, room)
        constants = room.fp_mem.take("the constants of attention", attention_words(hw, shape))
        given = cached_operands(hw, shape, q, caches, o, constants)
        return CachedOperands(**vars(given), new_k=new_k, new_v=new_v)
