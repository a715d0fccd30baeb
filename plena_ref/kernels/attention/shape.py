"""What an attention problem is, and the rules that every kernel has for it."""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.kernels.attention.constants import fp_sinks
from plena_ref.kernels.rules import KernelError, check_fields
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.resolved import Resolved, resolved


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
    kv_heads: Resolved[int] = resolved()
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
        check_fields(self, "batch", "seq", "kv_seq", "heads", "kv_heads", "head_dim")
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
