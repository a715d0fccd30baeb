"""What every attention kernel works on: the shape, its rules, and where Q, K, V and O lie."""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.rules import RuleError

#: FP_MEM words that the host stages: 0.0, the softmax scale, -infinity; with WINDOW the lowest finite bf16.
FP_ZERO, FP_SCALE, FP_NEG_INF, FP_LOWEST = 0, 1, 2, 3
#: First FP_MEM word of the softmax state: running maximum, rescale factor and sum, MLEN words each.
FP_STATE = 10


def fp_sinks(hw: Hardware) -> int:
    """First of the FP_MEM words, one a head, that hold the sink logits: behind the softmax state."""
    return FP_STATE + 3 * hw.mlen


class KernelError(RuleError):
    """A shape that a kernel cannot be written for; the message names the rule it breaks."""


@dataclass(frozen=True)
class AttentionShape:
    """One multi-head attention problem.

    Attributes:
        batch: sequences.
        seq: queries of a sequence.
        kv_seq: keys and values of a sequence; with a causal mask the queries are its last `seq` positions.
        heads: query heads.
        head_dim: elements of a head.
        causal: a query sees no later position than its own.
        packed_output: O's batches lie at seq stride instead of in slabs.
        kv_heads: heads of K and V; heads/kv_heads neighbouring query heads share one. None means heads.
        window: keys that a query sees, its own included; None means all that the causal mask leaves.
        sinks: each query head has a sink, a logit without a value that joins the softmax's denominator.
    """

    batch: int
    seq: int
    kv_seq: int
    heads: int
    head_dim: int
    causal: bool
    packed_output: bool = False
    kv_heads: int | None = None
    window: int | None = None
    sinks: bool = False

    def __post_init__(self) -> None:
        """Resolve kv_heads."""
        if self.kv_heads is None:
            object.__setattr__(self, "kv_heads", self.heads)

    def check(self, hw: Hardware) -> None:
        """Refuse shapes that no attention kernel of this machine handles.

        Raises:
            KernelError: names the rule.
        """
        for name in ("batch", "seq", "kv_seq", "heads", "kv_heads", "head_dim"):
            if getattr(self, name) < 1:
                raise KernelError(f"{name.upper()} must be at least 1 (got {getattr(self, name)})")
        if self.heads % self.kv_heads:
            raise KernelError(
                f"HEADS must be a multiple of KV_HEADS (got HEADS = {self.heads}, KV_HEADS = {self.kv_heads})"
            )
        self._check_mask()
        state_end = fp_sinks(hw)
        if state_end > hw.fp_words:
            raise KernelError(f"the softmax state needs FP_WORDS >= {state_end} (got {hw.fp_words})")
        if self.sinks and state_end + self.heads > hw.fp_words:
            raise KernelError(f"the sinks need FP_WORDS >= {state_end + self.heads} (got {hw.fp_words})")

    def _check_mask(self) -> None:
        if self.causal and self.kv_seq < self.seq:
            raise KernelError(
                "with CAUSAL every query needs a visible key: KV_SEQ must not be below SEQ "
                f"(got KV_SEQ = {self.kv_seq}, SEQ = {self.seq})"
            )
        if self.window is not None and not self.causal:
            raise KernelError(f"WINDOW needs CAUSAL (got WINDOW = {self.window})")
        if self.window is not None and self.window < 1:
            raise KernelError(
                f"every query needs a visible key: WINDOW must be at least 1 (got {self.window})"
            )

    @property
    def group(self) -> int:
        """Query heads that share a head of K and V."""
        return self.heads // self.kv_heads

    def column_groups(self, hw: Hardware, block: int) -> int:
        """Groups of BLEN columns that a head takes in its column block `block`; padding fills up the last."""
        return -(-min(hw.mlen, self.head_dim - block * hw.mlen) // hw.blen)

    @property
    def query_offset(self) -> int:
        """Position of the first query among the keys."""
        return self.kv_seq - self.seq


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
        allocate_output = vram.packed if shape.packed_output else vram.slabs
        return cls(
            shape=shape,
            q=vram.slabs("Q", shape.batch, shape.seq, cols),
            k=hbm.tensor("K", shape.batch * kv_rows, kv_cols),
            v=hbm.tensor("V", shape.batch * kv_rows, kv_cols),
            o=allocate_output("O", shape.batch, shape.seq, cols),
            head_cols=head_cols,
            kv_head_cols=kv_head_cols,
            kv_rows_per_batch=kv_rows,
            constants=constants,
            sinks=constants + fp_sinks(hw) if shape.sinks else None,
        )
