"""Where Q, K, V and O of an attention problem lie."""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.kernels.attention.constants import FP_STATE, fp_sinks
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.layout.allocators import Batches
from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.machine.hardware import Hardware


@dataclass(frozen=True)
class AttentionOperands:
    """The tensors of one attention problem.

    Attributes:
        q: heads side by side, `head_cols` columns apart, in VRAM slabs.
        k, v: heads side by side in HBM, `kv_head_cols` columns apart, batches in slabs of whole MLEN rows.
        o: as q, in slabs or packed.
        head_cols, kv_head_cols: whole column blocks of MLEN, or less in the packed form.
        kv_rows_per_batch: rows of K and V from batch to batch.
        constants: first of the FP_MEM words that the host stages, `FP_ZERO` and so on.
        sinks: first of the FP_MEM words that hold the sinks, one a query head; None without sinks.
    """

    shape: AttentionShape
    q: BatchedVram
    k: HbmTensor
    v: HbmTensor
    o: BatchedVram
    head_cols: int
    kv_head_cols: int
    kv_rows_per_batch: int
    constants: int
    sinks: int | None

    def take_state(self, room: Room, words: int) -> int:
        """The first of the FP_MEM words of the softmax state; with sinks they lie before the sinks."""
        if self.sinks is not None:
            return self.constants + FP_STATE
        return room.fp_mem.take("the softmax state", words)

    def has_idle_groups(self, hw: Hardware) -> bool:
        """Whether a head's last column block ends in groups of BLEN columns that no product writes."""
        return self.head_cols > round_up(self.shape.head_dim, hw.blen)

    @classmethod
    def place(
        cls,
        hw: Hardware,
        shape: AttentionShape,
        room: Room,
        head_cols: int | None = None,
        kv_head_cols: int | None = None,
    ) -> AttentionOperands:
        """Allocate the tensors of `shape`.

        Args:
            hw, shape, room: the machine, the problem, and where to place it.
            head_cols: columns from head to head of Q and O; None pads each to whole blocks of MLEN.
            kv_head_cols: the same for K and V; None means `head_cols`.

        Raises:
            KernelError: the shape breaks a rule.
            LayoutError: a memory is full.
        """
        shape.check(hw)
        head_cols = head_cols or round_up(shape.head_dim, hw.mlen)
        kv_head_cols = kv_head_cols or head_cols
        cols = round_up(shape.heads * head_cols, hw.mlen)
        kv_cols = round_up(shape.kv_heads * kv_head_cols, hw.mlen)
        kv_rows = round_up(shape.kv_seq, hw.mlen)
        vram, hbm = room.vram, room.hbm
        words = fp_sinks(hw) + shape.heads if shape.sinks else FP_STATE
        constants = room.fp_mem.take("the constants of attention", words)
        batches = Batches(kv_rows, shape.kv_seq, kv_head_cols)
        allocate_output = vram.packed if shape.packed_output else vram.slabs
        return cls(
            shape=shape,
            q=vram.slabs("Q", shape.batch, shape.seq, cols, head_cols),
            k=hbm.tensor("K", shape.batch * kv_rows, kv_cols, batches=batches),
            v=hbm.tensor("V", shape.batch * kv_rows, kv_cols, batches=batches),
            o=allocate_output("O", shape.batch, shape.seq, cols, head_cols),
            head_cols=head_cols,
            kv_head_cols=kv_head_cols,
            kv_rows_per_batch=kv_rows,
            constants=constants,
            sinks=constants + fp_sinks(hw) if shape.sinks else None,
        )
