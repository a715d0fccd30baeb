"""The roundings of a stack of decoder layers, end to end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from plena_ref.analysis.layer_roundings import (
    ATTENTION_INPUTS,
    ATTENTION_RESULTS,
    LAYER_RESULTS,
    LayerRoundings,
)
from plena_ref.analysis.roundings import F64, Rounder
from plena_ref.golden.language_model import KvCache, LayerWeights, ModelWeights, Stage, forward


@dataclass(frozen=True)
class DecoderLayerRoundings(LayerRoundings):
    """The roundings of one stack.

    Attributes:
        layers: weights as the machine reads them.
        keys, values: an entry for each layer, batch x kv_heads x past x head_dim, as read from the caches.
        rms_eps, rope_theta: as in the model.
    """

    stages: ClassVar[Mapping[str, str]] = {
        **ATTENTION_INPUTS,
        "rotated q": "queries, turned",
        "rotated k": "keys, turned",
        **ATTENTION_RESULTS,
        "gate": "gate",
        "up": "up",
        "activation": "SwiGLU",
        "down": "the projection back",
        **LAYER_RESULTS,
    }
    #: RMSNorm: square, sum, mean halved by the root; root, reciprocal, two products. RoPE: table, product,
    #: sum. Attention: Qs, S, P, sum, O, 1/l. SwiGLU: exp, sum, reciprocal, two products.
    roundings: ClassVar[Mapping[str, int]] = {
        "attention norm": 6,
        "mlp norm": 6,
        "rotated q": 3,
        "rotated k": 3,
        "attention": 6,
        "activation": 5,
    }

    layers: tuple[LayerWeights, ...]
    keys: list[F64]
    values: list[F64]
    rms_eps: float
    rope_theta: float

    def computed(self, batch: int, rounded: Rounder, stored: Stage) -> F64:
        """The residual stream after the last layer."""
        seen = dict[str, F64]()

        def stage(name: str, values: F64) -> F64:
            short = name.split(" ", 2)[-1] if name.startswith("layer ") else name
            seen[name] = rounded(short, values)
            return seen[name]

        rows = self.x[batch]
        past = [one[batch] for one in self.keys], [one[batch] for one in self.values]
        forward(self._model(rows), range(len(rows)), KvCache(*past), stage, stored)
        return seen[f"layer {len(self.layers) - 1} mlp residual"]

    def _model(self, rows: F64) -> ModelWeights:
        """A model whose embedding is the residual stream, and whose head is of no interest."""
        head = np.zeros((1, rows.shape[1]), np.float32)
        head_dim = self.keys[0].shape[-1]
        final = np.ones(rows.shape[1], np.float32)
        # The golden computes in float64 throughout: the stream is not rounded to the weights' type.
        return ModelWeights(rows, self.layers, final, head, head_dim, self.rms_eps, self.rope_theta)
