"""Attention: multi-head or grouped-query, with masks, windows and sinks, after a KV cache, or a decode step.

Q lies in VRAM as bf16, K and V in HBM. The golden takes K and V as the machine reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.attention_problem import AttentionProblem, Schedule
from plena_ref.analysis.attention_roundings import AttentionRoundings
from plena_ref.analysis.roundings import sum_of
from plena_ref.analysis.schedule import SCHEDULES, Sizes, head_columns
from plena_ref.golden import attention as golden
from plena_ref.golden.mxfp8 import quantised_heads
from plena_ref.kernels.attention.base import AttentionOperator
from plena_ref.kernels.attention.constants import FP_LOWEST, FP_NEG_INF, FP_SCALE, FP_ZERO
from plena_ref.kernels.attention.decode import (
    DecodeAttentionByBlocks,
    DecodeAttentionByRows,
    DecodeAttentionKernel,
)
from plena_ref.kernels.attention.flash import AttentionKernel
from plena_ref.kernels.attention.operands import AttentionOperands
from plena_ref.kernels.attention.packed import PackedAttentionKernel
from plena_ref.kernels.attention.plain import PlainAttentionElementOffsets, PlainAttentionKernel
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.machine.resolved import Resolved, resolved
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict import attention_tolerance, error_bound
from plena_ref.workloads.base import F64, Answer, Placed, Problem
from plena_ref.workloads.input_data import DATA
from plena_ref.workloads.placement import HBM_START

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case

#: The largest number that hides a score.
MASK_VALUE_MAX = -6e4
#: exp of less than minus this is 0: the smallest normal bf16 is 2^-126.
NO_WEIGHT = 90
#: What MXFP8 and the roundings of bf16 may add to a score, relatively, with a rounding of the hidden sum.
SCORE_ROOM = 1.125
#: Kinds of data whose errors add up as in the closed form; any other is judged by `error_bound.interval`.
FIRST_ORDER_DATA = ("normal", "equal_keys", "tiny")
#: The kernels of the plain form.
PLAIN_FORMS = ("plain_attention", "plain_attention_element_offsets")


@dataclass(frozen=True)
class Inputs:
    """The tensors of a case as the machine gets them, in float64.

    Attributes:
        q: batch x heads x seq x head_dim, bf16 values.
        k, v: batch x kv_heads x kv_seq x head_dim before quantisation.
        sinks: a logit a query head, bf16 values; None in a case without sinks.
    """

    q: F64
    k: F64
    v: F64
    sinks: F64 | None


@dataclass(frozen=True)
class Attention(Problem[AttentionOperator]):
    """softmax(scale * Q K^T + mask) V.

    Attributes:
        batch, seq, heads, head_dim: the problem; queries are the last `seq` of `kv_seq` positions.
        kv_seq: keys and values of a sequence; None means seq.
        kv_heads: heads of K and V, each shared by heads/kv_heads query heads; None means heads.
        causal: a query sees no later position than its own.
        packed_output: O's batches lie at seq stride instead of in slabs.
        window: keys that a query sees under the causal mask, its own included; None means all.
        sinks: each query head has a sink logit, drawn like the inputs.
        mask_value: what FP_MEM[2] holds, the number that hides a score: -infinity, or a finite one (decoders
            have -6e4).
    """

    batch: int = 1
    seq: int = 4
    kv_seq: Resolved[int] = resolved()
    heads: int = 2
    kv_heads: Resolved[int] = resolved()
    head_dim: int = 64
    causal: bool = False
    window: int | None = None
    sinks: bool = False
    packed_output: bool = False
    mask_value: float = -np.inf

    kernels: ClassVar[Mapping[str, type[AttentionOperator]]] = {
        "attention": AttentionKernel,
        "decode_attention": DecodeAttentionKernel,
        "decode_attention_one_row": DecodeAttentionByRows,
        "decode_attention_blocks": DecodeAttentionByBlocks,
        "packed_attention": PackedAttentionKernel,
        "plain_attention": PlainAttentionKernel,
        "plain_attention_element_offsets": PlainAttentionElementOffsets,
    }
    followers: ClassVar = {"kv_seq": "seq", "kv_heads": "heads"}
    data_kinds: ClassVar = tuple(DATA)

    @property
    def shape(self) -> AttentionShape:
        """The problem as the attention kernels see it."""
        names = [field.name for field in fields(AttentionShape)]
        return AttentionShape(**{name: getattr(self, name) for name in names})

    def describe(self) -> str:
        """The problem in a line, for people."""
        grouped = f" over {self.kv_heads} KV heads" if self.kv_heads != self.heads else ""
        masks = f", window {self.window}" if self.window is not None else ""
        masks += ", sinks" if self.sinks else ""
        return (
            f"batch {self.batch}, seq {self.seq}, kv_seq {self.kv_seq}, heads {self.heads}{grouped}, "
            f"head_dim {self.head_dim}, {'causal' if self.causal else 'not causal'}{masks}"
        )

    def check(self, case: Case) -> None:
        """Refuse what no attention kernel does.

        Raises:
            KernelError: names the rule.
        """
        if not self.mask_value <= MASK_VALUE_MAX:
            raise KernelError(f"MASK_VALUE must not exceed {MASK_VALUE_MAX:g} (got {self.mask_value:g})")
        self.shape.check(case.hardware)
        if np.isfinite(self.mask_value):
            self._check_mask_value(case)

    def _check_mask_value(self, case: Case) -> None:
        """Refuse a number that does not hide the largest score of the data beside the smallest.

        Raises:
            KernelError: names the score.
        """
        inputs = self.draw(case)
        scores = golden.softmax_scale(self.head_dim) * self._largest_product(inputs)
        limit = (-self.mask_value - NO_WEIGHT) / (2 * SCORE_ROOM)
        if not scores < limit:
            raise KernelError(
                f"MASK_VALUE = {self.mask_value:g} hides a key only while scores stay below {limit:.0f}; "
                f"these data have one of {scores:.3g}"
            )

    @staticmethod
    def _largest_product(inputs: Inputs) -> float:
        """The largest |q k| of a query and a key that meet."""
        group = inputs.q.shape[1] // inputs.k.shape[1]
        pairs = np.ndindex(inputs.q.shape[:2])
        return max(
            float(np.abs(inputs.q[batch, head] @ inputs.k[batch, head // group].T).max())
            for batch, head in pairs
        )

    def draw(self, case: Case) -> Inputs:
        """The case's kind of data, rounded to bf16; sinks are N(0, 1) * sigma."""
        rng = np.random.default_rng(case.seed)

        def values(kind: str, name: str, *shape: int) -> F64:
            drawn = DATA[kind](rng, shape, case.sigma, name).astype(np.float32)
            return drawn.astype(ml_dtypes.bfloat16).astype(np.float64)

        q = values(case.data, "q", self.batch, self.heads, self.seq, self.head_dim)
        keys = (self.batch, self.kv_heads, self.kv_seq, self.head_dim)
        k, v = (values(case.data, name, *keys) for name in "kv")
        return Inputs(q, k, v, values("normal", "sinks", self.heads) if self.sinks else None)

    @property
    def sizes(self) -> Sizes:
        """The sizes that decide which keys are taken together."""
        return Sizes(**{field.name: getattr(self, field.name) for field in fields(Sizes)})

    def schedule(self, case: Case) -> Schedule:
        """How the kernel takes its keys together."""
        return SCHEDULES[case.kernel](case.hardware, self.sizes)

    def roundings(self, case: Case) -> AttentionRoundings:
        """The model of the roundings on the case's data: sizes and positions, no program and no layout."""
        inputs, hw = self.draw(case), case.hardware
        columns = head_columns(case.kernel, hw, self.head_dim)
        k, v = (quantised_heads(tensor, hw.hbm_format("m", 0), columns) for tensor in (inputs.k, inputs.v))
        problem = AttentionProblem(inputs.q, k, v, self.causal, self.window, inputs.sinks)
        return AttentionRoundings(problem, self.schedule(case))

    def place(self, case: Case, room: Room) -> Placed[AttentionOperator]:
        """Q, K, V and O, and the kernel's scratch."""
        operator = self.kernels[case.kernel].within(case.hardware, self.shape, room)
        return Placed(operator, operator.operands.o, operator.operands.head_cols)

    def stage(self, case: Case, placed: Placed[AttentionOperator], images: MemoryImages) -> Answer:
        """Constants, Q, K and V; O where the kernel clears it by a product."""
        kernel = placed.operator
        inputs, operands = self.draw(case), kernel.operands
        self._stage_constants(images, operands, inputs.sinks)
        self._stage_queries(case, images, operands, inputs.q)
        k = self._stage_hbm(images.hbm, operands.k, operands, inputs.k)
        v = self._stage_hbm(images.hbm, operands.v, operands, inputs.v)
        if kernel.needs_finite_output:
            zeros = np.zeros((self.batch, self.seq, operands.o.parent.physical_cols), np.uint16)
            operands.o.store(images.vram, zeros)
        problem = (inputs.q, k, v, self.causal)
        exact = golden.attention(*problem, self.window, inputs.sinks).transpose(0, 2, 1, 3)
        tiles = -(-self.kv_seq // case.hardware.mlen)
        variance = sum_of(self.roundings(case).variances().values())
        flush = attention_tolerance.flush_error(*problem, tiles, self.window, inputs.sinks)
        if case.data in FIRST_ORDER_DATA:
            as_heads = variance.transpose(0, 2, 1, 3)
            known = (*problem, tiles, self.window, inputs.sinks)
            bounds = attention_tolerance.interval(*known, as_heads, flush)
        else:
            bounds = error_bound.interval(*problem, tiles, self.window, inputs.sinks)
        lower, upper, flushed = (tensor.transpose(0, 2, 1, 3) for tensor in (*bounds, flush))
        return Answer(exact, (lower, upper), deviation=np.sqrt(variance + flushed**2))

    def _stage_constants(self, images: MemoryImages, operands: AttentionOperands, sinks: F64 | None) -> None:
        images.fpmem[operands.constants + FP_ZERO] = 0
        scale = np.float64(golden.softmax_scale(self.head_dim))
        images.fpmem[operands.constants + FP_SCALE] = bf16_from_float(scale)
        images.fpmem[operands.constants + FP_NEG_INF] = bf16_from_float(np.float64(self.mask_value))
        if self.window is not None:
            images.fpmem[operands.constants + FP_LOWEST] = bf16_from_float(np.float64(-(2.0**128 - 2.0**120)))
        if sinks is not None and operands.sinks is not None:
            images.fpmem[operands.sinks : operands.sinks + self.heads] = bf16_from_float(sinks)

    def _stage_queries(self, case: Case, images: MemoryImages, operands: AttentionOperands, q: F64) -> None:
        """Q; in slabs, rows are zero up to a whole systolic block, and the rest of a slab stays poison."""
        rows = min(round_up(self.seq, case.hardware.blen), operands.q.rows_per_batch)
        values = columns_of_heads(q, operands.head_cols, rows)
        operands.q.store(images.vram, values.astype(ml_dtypes.bfloat16).view(np.uint16))

    def _stage_hbm(
        self, hbm: NDArray[np.uint8], tensor: HbmTensor, operands: AttentionOperands, values: F64
    ) -> F64:
        """Put K or V into HBM, padding rows zero; returns what the machine reads, shaped as `values`."""
        dense = columns_of_heads(values, operands.kv_head_cols, operands.kv_rows_per_batch)
        dense = np.pad(dense, ((0, 0), (0, 0), (0, tensor.cols - dense.shape[2])))
        rows = bf16_from_float(dense.reshape(tensor.rows, tensor.cols))
        tensor.store(hbm, rows)
        used = tensor.form.values(rows)[:, : self.kv_heads * operands.kv_head_cols]
        read = used.reshape(self.batch, -1, self.kv_heads, operands.kv_head_cols)
        return read[:, : self.kv_seq, :, : self.head_dim].transpose(0, 2, 1, 3)

    def modelled(self, case: Case) -> F64 | None:
        """The result with all its roundings; NaN in rows that steep scores or flushing may change."""
        if case.data not in FIRST_ORDER_DATA:
            return None
        model = self.roundings(case)
        problem = model.problem
        masked = (self.causal, self.window)
        unknown = attention_tolerance.steep_rows(problem.q, problem.k, *masked)
        tiles = -(-self.kv_seq // case.hardware.mlen)
        flushed = attention_tolerance.flush_error(
            problem.q, problem.k, problem.v, self.causal, tiles, self.window, problem.sinks
        )
        size = np.abs(model.exact).max(axis=-1, keepdims=True)
        unknown = unknown.transpose(0, 2, 1, 3) | (
            flushed.transpose(0, 2, 1, 3) > attention_tolerance.FLUSH_SHARE * size
        )
        return np.where(unknown, np.nan, model.rounded(tuple(model.stages)))

    def wrong_results(self, case: Case) -> Mapping[str, F64]:
        """Attention without each row's visible key tile of largest weight."""
        without = self.roundings(case).problem.without_heaviest_tile(case.hardware.mlen)
        return {"key tile left out": without.transpose(0, 2, 1, 3)}


def attention_of(case: Case) -> Attention:
    """The problem of a case of attention.

    Raises:
        TypeError: it is a case of another family.
    """
    if not isinstance(case.problem, Attention):
        raise TypeError(f"{case.name} is no case of attention")
    return case.problem


def block_tiles(case: Case) -> int:
    """Key tiles whose softmax is one in the program of a case; it is online from block to block of them."""
    tiles: int = case.problem.place(case, Room(case.hardware, HBM_START)).operator.block_tiles
    return tiles


def columns_of_heads(tensor: F64, head_cols: int, rows: int) -> F64:
    """batch x heads x n x head_dim as batch x rows x heads*head_cols, the padding 0."""
    batch, heads, n, head_dim = tensor.shape
    padded = np.zeros((batch, rows, heads, head_cols), tensor.dtype)
    padded[:, :n, :, :head_dim] = tensor.transpose(0, 2, 1, 3)
    return padded.reshape(batch, rows, heads * head_cols)
