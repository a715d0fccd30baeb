"""Small models in the file formats of real ones: drawn weights, written by the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plena_ref.configs.models import DECODERS, DecoderConfig
from plena_ref.golden.language_model import LayerWeights, ModelWeights
from plena_ref.models.checkpoint import expected_shapes
from plena_ref.models.safetensors_file import _LAYER as SAFETENSORS_NAMES

F32 = NDArray[np.float32]

#: Byte-level BPE of six tokens, two of them special.
TOKENS = ["<|im_start|>", "<|im_end|>", "a", "b", "c", "ab"]


def drawn_weights(config: DecoderConfig, seed: int = 0) -> ModelWeights:
    """Weights that keep activations near 1."""
    rng = np.random.default_rng(seed)

    def draw(shape: tuple[int, ...]) -> F32:
        if len(shape) == 1:
            return rng.uniform(0.5, 1.5, shape).astype(np.float32)
        return (rng.standard_normal(shape) / np.sqrt(shape[1])).astype(np.float32)

    shapes = expected_shapes(config)
    layers = tuple(
        LayerWeights(**{part: draw(shape) for part, shape in shapes.items()}) for _ in range(config.layers)
    )
    embedding = rng.standard_normal((config.vocabulary, config.hidden)).astype(np.float32)
    return ModelWeights(
        embedding,
        layers,
        draw((config.hidden,)),
        embedding,
        config.head_dim,
        config.rms_eps,
        config.rope_theta,
    )


def safetensors_tensors(weights: ModelWeights) -> dict[str, F32]:
    """The tensors by the names of a Llama checkpoint."""
    tensors = {"model.embed_tokens.weight": weights.embedding, "model.norm.weight": weights.final_norm}
    for index, layer in enumerate(weights.layers):
        for part, name in SAFETENSORS_NAMES.items():
            tensors[f"model.layers.{index}.{name}.weight"] = getattr(layer, part)
    return tensors


def write_safetensors(
    path: Path, tensors: dict[str, NDArray[Any]], config: DecoderConfig, kind: str = "F32"
) -> None:
    """A safetensors file, its config.json and its tokenizer.json; `tensors` have the type that is stated."""
    header, start = {}, 0
    for name, values in tensors.items():
        header[name] = {
            "dtype": kind,
            "shape": list(values.shape),
            "data_offsets": [start, start + values.nbytes],
        }
        start += values.nbytes
    text = json.dumps(header).encode()
    data = b"".join(values.tobytes() for values in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    stated = {
        "model_type": "llama",
        "hidden_size": config.hidden,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.intermediate,
        "rms_norm_eps": config.rms_eps,
        "rope_theta": config.rope_theta,
        "num_hidden_layers": config.layers,
        "vocab_size": config.vocabulary,
        "tie_word_embeddings": config.tied_embedding,
        "eos_token_id": 1,
    }
    path.with_name("config.json").write_text(json.dumps(stated))
    tokenizer = {
        "model": {"type": "BPE", "vocab": {t: n for n, t in enumerate(TOKENS)}, "merges": ["a b"]},
        "added_tokens": [{"content": token, "special": True} for token in TOKENS[:2]],
    }
    path.with_name("tokenizer.json").write_text(json.dumps(tokenizer))


def reduced_checkpoint(folder: Path) -> Path:
    """A safetensors file of the reduced decoder."""
    path = folder / "model.safetensors"
    config = DECODERS["reduced"]
    write_safetensors(path, safetensors_tensors(drawn_weights(config)), config)
    return path
