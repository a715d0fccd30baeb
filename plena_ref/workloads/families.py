"""The families of workloads, and which one a kernel belongs to. A new family is one more line here."""

from __future__ import annotations

from plena_ref.workloads.attention import Attention
from plena_ref.workloads.base import AnyProblem
from plena_ref.workloads.cached_attention import CachedAttention
from plena_ref.workloads.decoder_layer import DecoderLayer
from plena_ref.workloads.embedding import Embedding
from plena_ref.workloads.encoder_layer import EncoderProblem
from plena_ref.workloads.gelu import Gelu
from plena_ref.workloads.layer_norm import LayerNorm
from plena_ref.workloads.linear import Linear
from plena_ref.workloads.norm_linear_residual import NormLinearResidual
from plena_ref.workloads.output_head import OutputHead
from plena_ref.workloads.residual_add import ResidualAdd
from plena_ref.workloads.rms_norm import RmsNorm
from plena_ref.workloads.rope import Rope
from plena_ref.workloads.swiglu import Swiglu
from plena_ref.workloads.top_k import MoeRouter, TopK

#: Every family.
FAMILIES: tuple[type[AnyProblem], ...] = (
    Attention,
    CachedAttention,
    Embedding,
    DecoderLayer,
    EncoderProblem,
    TopK,
    MoeRouter,
    Linear,
    OutputHead,
    RmsNorm,
    LayerNorm,
    ResidualAdd,
    NormLinearResidual,
    Rope,
    Swiglu,
    Gelu,
)

#: The family of each kernel, by what KERNEL= calls it.
KERNELS: dict[str, type[AnyProblem]] = {name: family for family in FAMILIES for name in family.kernels}


def family_of(kernel: str) -> type[AnyProblem]:
    """The family whose problems a kernel solves.

    Raises:
        ValueError: there is no such kernel.
    """
    if kernel not in KERNELS:
        raise ValueError(f"KERNEL must be one of {', '.join(KERNELS)} (got {kernel})")
    return KERNELS[kernel]
