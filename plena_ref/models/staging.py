"""What the host writes besides weights: constants once, token ids and the tables of RoPE before each pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.attention import softmax_scale
from plena_ref.golden.language_model import LayerWeights, ModelWeights, Real
from plena_ref.golden.rope import angles
from plena_ref.kernels.attention.constants import FP_NEG_INF, FP_SCALE, FP_ZERO
from plena_ref.kernels.language_model.decoder_memory import DecoderMemory
from plena_ref.kernels.language_model.model_memory import ModelMemory
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.rms_norm import EPSILON, INVERSE
from plena_ref.kernels.rotate_half import HeadColumns
from plena_ref.machine.numerics import BF16_NEG_INF, bf16_from_float, bf16_to_f32
from plena_ref.machine.state import MemoryImages

F64 = NDArray[np.float64]


def _columns(memory: DecoderMemory) -> HeadColumns:
    return HeadColumns(memory.config.head_dim, memory.columns.head, memory.hw.mlen)


def stage_rotation(memory: DecoderMemory, hbm: NDArray[np.uint8]) -> None:
    """The tiles of rotate_half in HBM; what they hold is exact."""
    tensor, columns = memory.rope.rotation, _columns(memory)
    if tensor is not None:
        tiles = np.concatenate([columns.tile(*which) for which in columns.tiles])
        tensor.store(hbm, bf16_from_float(tiles))


def _stage_norm(tensor: VramTensor, values: Real, images: MemoryImages) -> None:
    """The weights of one norm, zeros in the padding."""
    row = np.zeros(tensor.physical_cols, np.uint16)
    row[: tensor.cols] = bf16_from_float(values)
    images.vram[tensor.addresses(cols=tensor.physical_cols)] = row


def stage_layers(memory: DecoderMemory, layers: Sequence[LayerWeights], images: MemoryImages) -> None:
    """The weights of the layers' norms in VRAM, and the constants of norms and attention in FP_MEM."""
    for places, layer in zip(memory.layers, layers, strict=True):
        _stage_norm(places.attention_norm, layer.attention_norm, images)
        _stage_norm(places.mlp_norm, layer.mlp_norm, images)
    config, fpmem = memory.config, images.fpmem
    for word, value in (
        (memory.norm_constants + INVERSE, 1 / config.hidden),
        (memory.norm_constants + EPSILON, config.rms_eps),
        (memory.attention_constants + FP_ZERO, 0.0),
        (memory.attention_constants + FP_SCALE, softmax_scale(config.head_dim)),
    ):
        fpmem[word] = bf16_from_float(value)
    fpmem[memory.attention_constants + FP_NEG_INF] = BF16_NEG_INF


def stage_constants(memory: ModelMemory, weights: ModelWeights, images: MemoryImages) -> None:
    """What `stage_layers` does, and the weights of the final norm."""
    stage_layers(memory, weights.layers, images)
    _stage_norm(memory.final_norm, weights.final_norm, images)


def stage_rope(memory: DecoderMemory, position: int, images: MemoryImages) -> None:
    """cos and sin of a pass's positions in VRAM."""
    angle = angles(position, memory.chunk, memory.config.head_dim, memory.config.rope_theta)
    numbers = _columns(memory).angle_numbers
    for tensor, function in ((memory.rope.cos, np.cos), (memory.rope.sin, np.sin)):
        values = np.where(numbers < 0, 0.0, function(angle)[:, numbers])
        images.vram[tensor.addresses(cols=tensor.physical_cols)] = bf16_from_float(values)


def stage_pass(memory: ModelMemory, tokens: Sequence[int], position: int, images: MemoryImages) -> None:
    """Token ids in INT_MEM, and cos and sin of their positions in VRAM.

    Raises:
        KernelError: an id names no row of the embedding.
    """
    memory.embedding.check_ids(list(tokens))
    images.intmem[memory.ids : memory.ids + len(tokens)] = tokens
    stage_rope(memory, position, images)


def read_logits(memory: ModelMemory, vram: NDArray[np.uint16], rows: int) -> F64:
    """Logits that a pass left, rows x vocabulary."""
    addresses = memory.logits.addresses(np.arange(rows))
    return bf16_to_f32(vram[addresses]).astype(np.float64)
