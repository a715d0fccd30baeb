"""A trained model as it is loaded from a file: sizes, weights, tokenizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.configs.models import DecoderConfig
from plena_ref.golden.language_model import LayerWeights, ModelWeights
from plena_ref.models.tokenizer import TokenizerData

F32 = NDArray[np.float32]


class ModelFileError(ValueError):
    """A file that is no model this project can run; the message begins with its name."""


@dataclass(frozen=True)
class Checkpoint:
    """A trained decoder.

    Attributes:
        path: the file that it was read from.
        config: its sizes.
        weights: float32, heads of q and k in rotate-half order.
        tokenizer: what text becomes token ids with.
    """

    path: Path
    config: DecoderConfig
    weights: ModelWeights
    tokenizer: TokenizerData


def expected_shapes(config: DecoderConfig) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of a layer, by the names of `LayerWeights`."""
    hidden, q, kv = config.hidden, config.heads * config.head_dim, config.kv_heads * config.head_dim
    return {
        "attention_norm": (hidden,),
        "q": (q, hidden),
        "k": (kv, hidden),
        "v": (kv, hidden),
        "o": (hidden, q),
        "mlp_norm": (hidden,),
        "gate": (config.intermediate, hidden),
        "up": (config.intermediate, hidden),
        "down": (hidden, config.intermediate),
    }


def assemble(
    path: Path,
    config: DecoderConfig,
    embedding: F32,
    final_norm: F32,
    head: F32 | None,
    layer_tensor: Callable[[int, str], F32],
) -> ModelWeights:
    """The weights of a file as one model; each tensor's shape is checked against the sizes.

    Args:
        path: the file, for messages.
        config: the sizes that it states.
        embedding, final_norm: its tensors.
        head: the output head, or None where it is the embedding.
        layer_tensor: gives a tensor by its layer and its name in `LayerWeights`.

    Raises:
        ModelFileError: a tensor has another shape, or holds numbers that are not finite.
    """

    def checked(name: str, values: F32, shape: tuple[int, ...]) -> F32:
        if values.shape != shape:
            raise ModelFileError(f"{path}: {name} has shape {values.shape}, not {shape}")
        if not np.isfinite(values).all():
            raise ModelFileError(f"{path}: {name} holds numbers that are not finite")
        return np.asarray(values, np.float32)

    shapes = expected_shapes(config)
    layers = tuple(
        LayerWeights(
            **{
                part.name: checked(
                    f"{part.name} of layer {index}", layer_tensor(index, part.name), shapes[part.name]
                )
                for part in fields(LayerWeights)
            }
        )
        for index in range(config.layers)
    )
    table = (config.vocabulary, config.hidden)
    embedding = checked("the embedding", embedding, table)
    return ModelWeights(
        embedding=embedding,
        layers=layers,
        final_norm=checked("the final norm", final_norm, (config.hidden,)),
        head=embedding if head is None else checked("the output head", head, table),
        head_dim=config.head_dim,
        rms_eps=config.rms_eps,
        rope_theta=config.rope_theta,
    )
