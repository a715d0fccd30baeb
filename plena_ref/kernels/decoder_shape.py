"""Sizes of decoder layers, as the kernels of a layer see them."""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.linear import LinearShape
from plena_ref.kernels.rope import RopeShape
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware


@dataclass(frozen=True)
class DecoderShape:
    """A pre-norm decoder layer on new positions of some sequences.

    Attributes:
        batch, seq: sequences, and new positions of each.
        past: positions of each that are in the caches already.
        hidden, heads, kv_heads, head_dim, intermediate: as in `plena_ref.configs.models.DecoderConfig`.
    """

    batch: int
    seq: int
    past: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int

    def check(self, hw: Hardware) -> None:
        """Refuse what a layer cannot be.

        Raises:
            KernelError: names the rule.
        """
        for name in ("batch", "seq", "hidden", "heads", "kv_heads", "head_dim", "intermediate"):
            if getattr(self, name) < 1:
                raise KernelError(f"{name.upper()} must be at least 1 (got {getattr(self, name)})")
        if self.past < 0:
            raise KernelError(f"PAST must not be negative (got {self.past})")
        self.attention.check(hw)
        self.rope(hw).check(hw)
        for layer in (self.qkv(hw), self.output(hw), self.gate_up(hw), self.down(hw)):
            layer.check(hw)

    @property
    def rows(self) -> int:
        """Rows of activations."""
        return self.batch * self.seq

    @property
    def attention(self) -> AttentionShape:
        """Attention of the new positions to all."""
        kv_seq = self.past + self.seq
        return AttentionShape(
            self.batch, self.seq, kv_seq, self.heads, self.head_dim, True, True, self.kv_heads
        )

    def head_cols(self, hw: Hardware) -> int:
        """Columns from head to head."""
        return round_up(self.head_dim, hw.mlen)

    def q_cols(self, hw: Hardware) -> int:
        """Columns of all query heads."""
        return self.heads * self.head_cols(hw)

    def kv_cols(self, hw: Hardware) -> int:
        """Columns of all heads of K, or of V."""
        return self.kv_heads * self.head_cols(hw)

    def hidden_cols(self, hw: Hardware) -> int:
        """Columns of the residual stream with its padding."""
        return round_up(self.hidden, hw.mlen)

    def mlp_cols(self, hw: Hardware) -> int:
        """Columns of gate, or of up, with their padding."""
        return round_up(self.intermediate, hw.mlen)

    def rope(self, hw: Hardware) -> RopeShape:
        """Heads of Q and K, side by side."""
        return RopeShape(self.batch, self.seq, self.heads + self.kv_heads, self.head_dim, self.head_cols(hw))

    def qkv(self, hw: Hardware) -> LinearShape:
        """The projections to Q, K and V in one."""
        out = self.q_cols(hw) + 2 * self.kv_cols(hw)
        return LinearShape(self.batch, self.seq, self.hidden, out)

    def output(self, hw: Hardware) -> LinearShape:
        """The projection of what attention made."""
        return LinearShape(self.batch, self.seq, self.q_cols(hw), self.hidden_cols(hw))

    def gate_up(self, hw: Hardware) -> LinearShape:
        """The projections to gate and up in one."""
        return LinearShape(self.batch, self.seq, self.hidden, 2 * self.mlp_cols(hw))

    def down(self, hw: Hardware) -> LinearShape:
        """The projection back to the residual stream."""
        return LinearShape(self.batch, self.seq, self.mlp_cols(hw), self.hidden_cols(hw))
