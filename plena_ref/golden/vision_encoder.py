"""A ViT-style encoder layer in float64 (Dosovitskiy et al. 2021): pre-norm, biases, GELU with tanh, no mask.

`stage` and `stored` are as in `golden.language_model`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.attention import attention
from plena_ref.golden.gelu import gelu_tanh
from plena_ref.golden.language_model import Stage, unchanged
from plena_ref.golden.layer_norm import layer_norm
from plena_ref.golden.linear import linear
from plena_ref.golden.residual_add import residual_add

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Affine:
    """Weights and bias: of a linear layer, outputs x inputs and outputs; of a norm, one each a feature."""

    weight: F64
    bias: F64


@dataclass(frozen=True)
class EncoderWeights:
    """One encoder layer.

    Attributes:
        attention_norm, mlp_norm: LayerNorm.
        q, k, v, o: projections of attention.
        up, down: the MLP.
    """

    attention_norm: Affine
    q: Affine
    k: Affine
    v: Affine
    o: Affine
    mlp_norm: Affine
    up: Affine
    down: Affine


def _project(x: F64, layer: Affine) -> F64:
    return linear(x, layer.weight.T, layer.bias)


def encoder_layer(
    x: F64,
    weights: EncoderWeights,
    head_dim: int,
    eps: float,
    stage: Stage = unchanged,
    stored: Stage = unchanged,
) -> F64:
    """The residual stream after one layer.

    Args:
        x: seq x hidden.
        weights: of the layer.
        head_dim: features of a head.
        eps: what LayerNorm adds to the variance.
        stage: what is done to the values that each stage hands on.
        stored: what is done to keys and values, heads x seq x head_dim, before attention reads them.
    """
    norm = weights.attention_norm
    normed = stage("attention norm", layer_norm(x, norm.weight, norm.bias, eps))
    q, k, v = (
        stage(name, _project(normed, getattr(weights, name))).reshape(len(x), -1, head_dim).transpose(1, 0, 2)
        for name in "qkv"
    )
    keys, values = stored("keys", k), stored("values", v)
    mixed = attention(q[None], keys[None], values[None], causal=False)[0]
    mixed = stage("attention", mixed.transpose(1, 0, 2).reshape(len(x), -1))
    projected = stage("projection", _project(mixed, weights.o))
    x = stage("attention residual", residual_add(x, projected))
    norm = weights.mlp_norm
    normed = stage("mlp norm", layer_norm(x, norm.weight, norm.bias, eps))
    active = stage("activation", gelu_tanh(stage("up", _project(normed, weights.up))))
    return stage("mlp residual", residual_add(x, stage("down", _project(active, weights.down))))
