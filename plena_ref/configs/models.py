"""Sizes of the models that are run here, read from models.toml: a new model of a family is a new record.

DECODERS["smolvlm2"].hidden         576
ENCODERS["reduced"].heads           2
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

_FILE = Path(__file__).with_name("models.toml")


class ConfigError(ValueError):
    """A record that describes no model; the message begins with its name."""


@dataclass(frozen=True)
class DecoderConfig:
    """A Llama-style text decoder: RMSNorm, grouped-query attention with RoPE, SwiGLU, no biases.

    Attributes:
        hidden: features of the residual stream.
        heads, kv_heads: query heads, and heads of K and V; heads/kv_heads neighbours share one.
        head_dim: features of a head, all of them rotated by RoPE; even.
        intermediate: features between gate, up and down projection.
        rms_eps: what RMSNorm adds to the mean square.
        rope_theta: base of the wavelengths of RoPE.
        layers: decoder layers.
        vocabulary: rows of the embedding table, and logits.
        tied_embedding: the output head has the embedding's weights.
    """

    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    rms_eps: float
    rope_theta: float
    layers: int
    vocabulary: int
    tied_embedding: bool


@dataclass(frozen=True)
class EncoderConfig:
    """A ViT-style vision encoder: LayerNorm, attention without a mask, GELU in its tanh form, biases.

    Attributes:
        hidden: features of the residual stream.
        heads, head_dim: heads of Q, K and V, and their features.
        intermediate: features between the two layers of the MLP.
        norm_eps: what LayerNorm adds to the variance.
        layers: encoder layers.
    """

    hidden: int
    heads: int
    head_dim: int
    intermediate: int
    norm_eps: float
    layers: int


_Config = TypeVar("_Config", DecoderConfig, EncoderConfig)
#: What a file says of a model.
Values = Mapping[str, Any]  # Any: sizes, numbers and flags of a file, which `read_config` checks


def read_config(kind: type[_Config], name: str, values: Values) -> _Config:
    """The record `name` of a kind of model.

    Raises:
        ConfigError: a key is missing or unknown, a number is not positive, query heads do not divide among
            the heads of K and V, or a head that RoPE rotates has an odd width.
    """
    known = {field.name for field in fields(kind)}
    for key in sorted(known ^ set(values)):
        raise ConfigError(f"{name}: {key} is {'missing' if key in known else 'unknown'}")
    for key, value in values.items():
        if not isinstance(value, bool) and not value > 0:
            raise ConfigError(f"{name}: {key} must be positive (got {value})")
    config = kind(**values)
    if isinstance(config, DecoderConfig):
        if config.heads % config.kv_heads:
            raise ConfigError(
                f"{name}: heads must be a multiple of kv_heads (got {config.heads}, {config.kv_heads})"
            )
        if config.head_dim % 2:
            raise ConfigError(f"{name}: head_dim must be even (got {config.head_dim})")
    return config


_RECORDS = tomllib.loads(_FILE.read_text())
#: Every decoder by name.
DECODERS: dict[str, DecoderConfig] = {
    name: read_config(DecoderConfig, name, values) for name, values in _RECORDS["decoders"].items()
}
#: Every vision encoder by name.
ENCODERS: dict[str, EncoderConfig] = {
    name: read_config(EncoderConfig, name, values) for name, values in _RECORDS["encoders"].items()
}
