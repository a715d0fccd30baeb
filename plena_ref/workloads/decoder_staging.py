"""Staging of decoder layers: weights as they lie in HBM, caches, norm weights, tables and constants.

Matrices of `LayerWeights` are outputs x inputs. What the machine reads of them is returned in the same form,
so that a golden starts from the same numbers, wherever the program looks for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.attention import softmax_scale
from plena_ref.golden.language_model import LayerWeights
from plena_ref.kernels.attention.cached import Caches
from plena_ref.kernels.attention.constants import FP_NEG_INF, FP_SCALE, FP_ZERO
from plena_ref.kernels.decoder_layer import DecoderShared
from plena_ref.kernels.decoder_shape import DecoderShape
from plena_ref.kernels.layer_stack import DecoderTensors
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.rms_norm import EPSILON, INVERSE
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.state import MemoryImages
from plena_ref.workloads.attention import columns_of_heads
from plena_ref.workloads.placement import stage_panels, stage_rows
from plena_ref.workloads.rope import stage_tables

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One matrix among the columns of a placed one: heads, or features, each padded to whole column blocks.

    Attributes:
        weights: (groups*size) x inputs.
        size, columns: outputs of a group, and columns from group to group.
    """

    weights: F32
    size: int
    columns: int

    def spread(self) -> F32:
        """inputs x (groups*columns), zeros in the padding."""
        groups, inputs = len(self.weights) // self.size, self.weights.shape[1]
        spread = np.zeros((groups, self.columns, inputs), np.float32)
        spread[:, : self.size] = self.weights.reshape(groups, self.size, inputs)
        return spread.reshape(groups * self.columns, inputs).T

    def gathered(self, spread: F64) -> F64:
        """The opposite of `spread`."""
        grouped = spread.T.reshape(-1, self.columns, spread.shape[0])
        return grouped[:, : self.size].reshape(-1, spread.shape[0])


def stage_parts(parts: list[Part], panels: list[HbmTensor], hbm: NDArray[np.uint8]) -> list[F64]:
    """Matrices side by side into the panels of one; returns what the machine reads of each."""
    spread = [part.spread() for part in parts]
    read = stage_panels(panels, hbm, bf16_from_float(np.concatenate(spread, axis=1).astype(np.float64)))
    ends = np.cumsum([one.shape[1] for one in spread])[:-1]
    return [part.gathered(columns) for part, columns in zip(parts, np.split(read, ends, axis=1), strict=True)]


def rows_with_padding(weights: F32, size: int, columns: int) -> F32:
    """outputs x (groups*size) as outputs x (groups*columns): inputs with the padding of heads."""
    outputs = len(weights)
    spread = np.zeros((outputs, weights.shape[1] // size, columns), np.float32)
    spread[:, :, :size] = weights.reshape(outputs, -1, size)
    return spread.reshape(outputs, -1)


def stage_layer(
    hw: Hardware, shape: DecoderShape, tensors: DecoderTensors, weights: LayerWeights, hbm: NDArray[np.uint8]
) -> LayerWeights:
    """The matrices of one layer into HBM, as MXFP8.

    Returns:
        What the machine reads, float64; the norm weights are those of `weights` as bf16.
    """
    head, head_cols = shape.head_dim, shape.head_cols(hw)
    mlp, mlp_cols = shape.intermediate, shape.mlp_cols(hw)
    heads = [Part(w, head, head_cols) for w in (weights.q, weights.k, weights.v)]
    q, k, v = stage_parts(heads, tensors.qkv, hbm)
    hidden = Part(rows_with_padding(weights.o, head, head_cols), shape.hidden, shape.hidden_cols(hw))
    (o,) = stage_parts([hidden], tensors.output, hbm)
    features = [Part(w, mlp, mlp_cols) for w in (weights.gate, weights.up)]
    gate, up = stage_parts(features, tensors.gate_up, hbm)
    (down,) = stage_parts([Part(weights.down, shape.hidden, shape.hidden_cols(hw))], tensors.down, hbm)
    return LayerWeights(
        attention_norm=_as_bf16(weights.attention_norm),
        q=q,
        k=k,
        v=v,
        o=o.reshape(shape.hidden, shape.heads, head_cols)[:, :, :head].reshape(shape.hidden, -1),
        mlp_norm=_as_bf16(weights.mlp_norm),
        gate=gate,
        up=up,
        down=down,
    )


def _as_bf16(values: NDArray) -> F64:
    return bf16_to_f32(bf16_from_float(values.astype(np.float64))).astype(np.float64)


def stage_norms(norms: VramTensor, layers: list[LayerWeights], images: MemoryImages) -> None:
    """The weights of all norms, two rows a layer."""
    rows = [row for layer in layers for row in (layer.attention_norm, layer.mlp_norm)]
    stage_rows(norms, images.vram, bf16_from_float(np.stack(rows).astype(np.float64)), len(rows))


def stage_caches(caches: Caches, keys: F64, values: F64, hbm: NDArray[np.uint8]) -> tuple[F64, F64]:
    """K and V of past positions at the start of every batch's cache, zeros after them.

    Args:
        caches: where they go.
        keys, values: batch x kv_heads x past x head_dim, bf16 values; `past` may be 0.
        hbm: the memory.

    Returns:
        What the machine reads, shaped as the arguments.
    """
    read = []
    for tensor, past in ((caches.k, keys), (caches.v, values)):
        batch, heads, n, head_dim = past.shape
        columns = tensor.cols // heads
        spread = columns_of_heads(past, columns, caches.rows_per_batch)
        rows = bf16_from_float(spread.reshape(tensor.rows, -1))
        tensor.store(hbm, rows)
        dense = tensor.form.values(rows).reshape(batch, -1, heads, columns)
        read.append(dense[:, :n, :, :head_dim].transpose(0, 2, 1, 3))
    return read[0], read[1]


def stage_shared(
    hw: Hardware,
    shape: DecoderShape,
    shared: DecoderShared,
    rms_eps: float,
    rope_theta: float,
    images: MemoryImages,
) -> None:
    """What all layers share: tables of RoPE, and constants."""
    stage_tables(shape.rope(hw).columns(hw), shared.rope, 0, rope_theta, images)
    norm, attention = shared.norm_constants, shared.attention_constants
    constants = {
        norm + INVERSE: 1 / shape.hidden,
        norm + EPSILON: rms_eps,
        attention + FP_ZERO: 0.0,
        attention + FP_SCALE: softmax_scale(shape.head_dim),
        attention + FP_NEG_INF: -np.inf,
    }
    for word, value in constants.items():
        images.fpmem[word] = bf16_from_float(np.float64(value))
