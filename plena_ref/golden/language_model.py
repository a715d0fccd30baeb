"""A Llama-style decoder in float64: token ids to logits, with a KV cache that grows from pass to pass.

The layers are those of Touvron et al. (2023). It knows nothing of a program or a layout. `stage` is called on
what every stage hands on, so that a caller can watch the stages, or round them; `stored` on what goes into
the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.attention import attention
from plena_ref.golden.linear import linear
from plena_ref.golden.residual_add import residual_add
from plena_ref.golden.rms_norm import rms_norm
from plena_ref.golden.rope import rope
from plena_ref.golden.swiglu import swiglu

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
#: Weights as a file has them, or as the machine reads them.
Real = F32 | F64

#: What is done to the values that a stage hands on: its name (`layer 3 gate`), and the values.
Stage = Callable[[str, F64], F64]


def unchanged(_name: str, values: F64) -> F64:
    """The stage function of the exact model."""
    return values


@dataclass(frozen=True)
class LayerWeights:
    """One decoder layer; matrices are outputs x inputs, heads of q and k in rotate-half order.

    Attributes:
        attention_norm, mlp_norm: one weight a feature.
        q, k, v, o: projections of attention.
        gate, up, down: the MLP.
    """

    attention_norm: Real
    q: Real
    k: Real
    v: Real
    o: Real
    mlp_norm: Real
    gate: Real
    up: Real
    down: Real


@dataclass(frozen=True)
class ModelWeights:
    """A whole decoder.

    Attributes:
        embedding: vocabulary x hidden.
        layers: the decoder layers, first to last.
        final_norm: one weight a feature.
        head: vocabulary x hidden; the embedding itself where the two are tied.
        head_dim: features of a head; q has heads * head_dim rows, k and v kv_heads * head_dim.
        rms_eps: what RMSNorm adds to the mean square.
        rope_theta: base of the wavelengths of RoPE.
    """

    embedding: Real
    layers: tuple[LayerWeights, ...]
    final_norm: Real
    head: Real
    head_dim: int
    rms_eps: float
    rope_theta: float


@dataclass
class KvCache:
    """Keys, rotated, and values of the positions so far, a list entry a layer: kv_heads x n x head_dim."""

    keys: list[F64] = field(default_factory=list)
    values: list[F64] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Positions that it holds."""
        return self.keys[0].shape[1] if self.keys else 0

    def append(self, layer: int, keys: F64, values: F64) -> tuple[F64, F64]:
        """Add positions to a layer; returns all of its keys and values."""
        for store, new in ((self.keys, keys), (self.values, values)):
            if layer == len(store):
                store.append(new)
            else:
                store[layer] = np.concatenate([store[layer], new], axis=1)
        return self.keys[layer], self.values[layer]


def forward(
    model: ModelWeights,
    tokens: Sequence[int],
    cache: KvCache,
    stage: Stage = unchanged,
    stored: Stage = unchanged,
) -> F64:
    """Logits (n x vocabulary) of n tokens that follow those of `cache`, to which they are added.

    Args:
        model: the weights.
        tokens: ids of the n tokens.
        cache: what came before; empty at the first call.
        stage: what is done to the values that each stage hands on, n rows each.
        stored: what is done to keys and values, kv_heads x n x head_dim, before they go into the cache.
    """
    start = cache.length
    x = stage("embedding", model.embedding[list(tokens)].astype(np.float64))
    for index, layer in enumerate(model.layers):

        def named(name: str, values: F64, at: str = f"layer {index}") -> F64:
            return stage(f"{at} {name}", values)

        x = _attend(model, layer, index, x, start, cache, named, stored)
        x = _mlp(model, layer, x, named)
    x = stage("final norm", rms_norm(x, model.final_norm.astype(np.float64), model.rms_eps))
    return stage("head", _project(x, model.head))


def _project(x: F64, weights: Real) -> F64:
    return linear(x, weights.T.astype(np.float64))


def _heads(x: F64, head_dim: int) -> F64:
    """Rows of heads side by side as heads x n x head_dim."""
    return x.reshape(len(x), -1, head_dim).transpose(1, 0, 2)


def _attend(
    model: ModelWeights,
    layer: LayerWeights,
    index: int,
    x: F64,
    start: int,
    cache: KvCache,
    stage: Stage,
    stored: Stage,
) -> F64:
    """The first half of a layer: x + attention(norm(x)) projected."""
    normed = stage("attention norm", rms_norm(x, layer.attention_norm.astype(np.float64), model.rms_eps))
    q, k, v = (
        _heads(stage(name, _project(normed, weights)), model.head_dim)
        for name, weights in (("q", layer.q), ("k", layer.k), ("v", layer.v))
    )
    q, k = (
        stage(name, rope(heads.transpose(1, 0, 2)[None], start, model.rope_theta)[0].transpose(1, 0, 2))
        for name, heads in (("rotated q", q), ("rotated k", k))
    )
    keys, values = cache.append(index, stored("keys", k), stored("values", v))
    mixed = attention(q[None], keys[None], values[None], causal=True)[0]
    mixed = stage("attention", mixed.transpose(1, 0, 2).reshape(len(x), -1))
    return stage("attention residual", residual_add(x, stage("projection", _project(mixed, layer.o))))


def _mlp(model: ModelWeights, layer: LayerWeights, x: F64, stage: Stage) -> F64:
    """The second half of a layer: x + down(silu(gate) * up) of norm(x)."""
    normed = stage("mlp norm", rms_norm(x, layer.mlp_norm.astype(np.float64), model.rms_eps))
    gate, up = stage("gate", _project(normed, layer.gate)), stage("up", _project(normed, layer.up))
    down = stage("down", _project(stage("activation", swiglu(gate, up)), layer.down))
    return stage("mlp residual", residual_add(x, down))
