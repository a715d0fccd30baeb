"""The roundings of a vision encoder layer, end to end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from plena_ref.analysis.layer_roundings import (
    ATTENTION_INPUTS,
    ATTENTION_RESULTS,
    LAYER_RESULTS,
    LayerRoundings,
)
from plena_ref.analysis.roundings import F64, Rounder
from plena_ref.golden.language_model import Stage
from plena_ref.golden.vision_encoder import EncoderWeights, encoder_layer


@dataclass(frozen=True)
class EncoderLayerRoundings(LayerRoundings):
    """The roundings of one layer.

    Attributes:
        weights: as the machine reads them.
        head_dim, eps: as in the model.
    """

    stages: ClassVar[Mapping[str, str]] = {
        **ATTENTION_INPUTS,
        **ATTENTION_RESULTS,
        "up": "the first layer of the MLP",
        "activation": "GELU",
        "down": "the second layer of the MLP",
        **LAYER_RESULTS,
    }
    #: As for a decoder; centring is two more, and a bias is one.
    roundings: ClassVar[Mapping[str, int]] = {
        **dict.fromkeys(("q", "k", "v", "projection", "up", "down"), 2),
        **dict.fromkeys(("attention norm", "mlp norm", "activation"), 8),
        "attention": 6,
    }

    weights: EncoderWeights
    head_dim: int
    eps: float

    def computed(self, batch: int, rounded: Rounder, stored: Stage) -> F64:
        """The residual stream after the layer."""
        return encoder_layer(self.x[batch], self.weights, self.head_dim, self.eps, rounded, stored)
