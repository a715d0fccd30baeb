"""Attention in a decoder: K and V of new positions go to their caches and are read back in the same program.

New K and V lie in VRAM as bf16, as a projection leaves them. The caches hold earlier positions; where the new
ones and the zeros after them go there are NaN before the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from plena_ref.kernels.attention.base import AttentionOperator
from plena_ref.kernels.attention.cached import CachedAttentionKernel, CachedOperands
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.state import POISON_HBM, MemoryImages
from plena_ref.workloads.attention import Attention, columns_of_heads
from plena_ref.workloads.base import F64, Answer, Placed

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


@dataclass(frozen=True)
class CachedAttention(Attention):
    """softmax(scale * Q K^T + mask) V, where the last `seq` of the `kv_seq` positions are new.

    The fields are those of `Attention`; O is always packed.
    """

    packed_output: bool = True

    kernels: ClassVar = {"cached_attention": CachedAttentionKernel}

    def check(self, case: Case) -> None:
        """Refuse what the kernel does not do.

        Raises:
            KernelError: names the rule.
        """
        super().check(case)
        if not self.packed_output:
            raise KernelError("KERNEL = cached_attention packs its output: PACKED_OUTPUT must be 1")
        if self.shape.query_offset < 0:
            raise KernelError(
                "new positions are among all positions: KV_SEQ must not be below SEQ "
                f"(got KV_SEQ = {self.kv_seq}, SEQ = {self.seq})"
            )

    def stage(self, case: Case, placed: Placed[AttentionOperator], images: MemoryImages) -> Answer:
        """As attention, with new K and V in VRAM, and NaN where the program puts them."""
        answer = super().stage(case, placed, images)
        inputs, operands = self.draw(case), placed.operator.operands
        assert isinstance(operands, CachedOperands)
        for values, new, cache in (
            (inputs.k, operands.new_k, operands.k),
            (inputs.v, operands.new_v, operands.v),
        ):
            latest = _as_columns(operands, values[:, :, self.shape.query_offset :])
            new.store(images.vram, latest.astype(ml_dtypes.bfloat16).view(np.uint16))
            self._poison_new(case, images.hbm, operands, cache)
        return answer

    def _poison_new(
        self, case: Case, hbm: NDArray[np.uint8], operands: CachedOperands, cache: HbmTensor
    ) -> None:
        """NaN in the rows that the stores write, zeros after the last position included."""
        rows = round_up(self.seq, case.hardware.vstore)
        for batch in range(self.batch):
            first = batch * operands.kv_rows_per_batch + self.shape.query_offset
            start, stop = (cache.base + cache.offset(first) + n * cache.cols for n in (0, rows))
            hbm[start:stop] = POISON_HBM


def _as_columns(operands: CachedOperands, values: F64) -> F64:
    """batch x heads x n x head_dim as rows of the cache's columns."""
    return columns_of_heads(values, operands.kv_head_cols, values.shape[2])
