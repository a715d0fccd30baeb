"""Weights of a Llama-style decoder from a safetensors file, with config.json and tokenizer.json beside it.

The format: eight bytes with the length of a JSON header (little-endian), the header (type, shape and byte
range of every tensor), then the tensors' bytes. Heads of q and k lie in rotate-half order already.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from plena_ref.configs.models import DecoderConfig, read_config
from plena_ref.models.checkpoint import Checkpoint, ModelFileError, assemble
from plena_ref.models.tokenizer import TokenizerData

F32 = NDArray[np.float32]

_TYPES = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype(ml_dtypes.bfloat16)}
#: The names of a layer's tensors, by those of `LayerWeights`.
_LAYER = {
    "attention_norm": "input_layernorm",
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "mlp_norm": "post_attention_layernorm",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}


def read_safetensors(path: Path) -> Checkpoint:
    """The model of a safetensors file.

    Raises:
        ModelFileError: a file is missing or is not what it should be, the architecture is another one, or a
            tensor is missing or has another shape.
    """
    config, end = _config(path.with_name("config.json"))
    tensors = _Tensors(path)
    weights = assemble(
        path,
        config,
        embedding=tensors.read("model.embed_tokens.weight"),
        final_norm=tensors.read("model.norm.weight"),
        head=None if config.tied_embedding else tensors.read("lm_head.weight"),
        layer_tensor=lambda index, part: tensors.read(f"model.layers.{index}.{_LAYER[part]}.weight"),
    )
    return Checkpoint(path, config, weights, _tokenizer(path.with_name("tokenizer.json"), end))


class _Tensors:
    """The tensors of one file, read when they are asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._bytes = np.memmap(path, np.uint8, "r")
            length = int(self._bytes[:8].view("<u8")[0])
            self._header = json.loads(self._bytes[8 : 8 + length].tobytes())
        except (OSError, ValueError, IndexError) as error:
            raise ModelFileError(f"{path}: no safetensors file ({error})") from None
        self._start = 8 + length

    def read(self, name: str) -> F32:
        """A tensor as float32."""
        entry = self._header.get(name)
        if entry is None:
            raise ModelFileError(f"{self.path}: tensor {name} is missing")
        kind = _TYPES.get(entry["dtype"])
        if kind is None:
            known = ", ".join(_TYPES)
            raise ModelFileError(f"{self.path}: {name} is of type {entry['dtype']}, not of {known}")
        first, end = (self._start + offset for offset in entry["data_offsets"])
        shape = tuple(entry["shape"])
        if end > self._bytes.size or end - first != kind.itemsize * int(np.prod(shape)):
            raise ModelFileError(f"{self.path}: {name} does not have the bytes of its shape {shape}")
        result: F32 = self._bytes[first:end].view(kind).reshape(shape).astype(np.float32)
        return result


def _json(path: Path) -> dict[str, Any]:  # Any: JSON, used as the format has it
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path}: {error}") from None
    if not isinstance(found, dict):
        raise ModelFileError(f"{path}: no JSON object")
    return found


def _config(path: Path) -> tuple[DecoderConfig, object]:
    """The sizes of a config.json, and the token that ends an answer."""
    stated = _json(path)
    if stated.get("model_type") != "llama":
        raise ModelFileError(f"{path}: model_type {stated.get('model_type')} is not llama")
    if stated.get("rope_scaling"):
        raise ModelFileError(f"{path}: rope_scaling is not supported")
    try:
        heads, hidden = stated["num_attention_heads"], stated["hidden_size"]
        sizes = {
            "hidden": hidden,
            "heads": heads,
            "kv_heads": stated.get("num_key_value_heads", heads),
            "head_dim": stated.get("head_dim") or hidden // heads,
            "intermediate": stated["intermediate_size"],
            "rms_eps": float(stated["rms_norm_eps"]),
            "rope_theta": float(stated["rope_theta"]),
            "layers": stated["num_hidden_layers"],
            "vocabulary": stated["vocab_size"],
            "tied_embedding": bool(stated.get("tie_word_embeddings", False)),
        }
    except KeyError as missing:
        raise ModelFileError(f"{path}: {missing} is missing") from None
    return read_config(DecoderConfig, str(path), sizes), stated.get("eos_token_id")


def _tokenizer(path: Path, end: object) -> TokenizerData:
    """The lists of a tokenizer.json with byte-level BPE."""
    stated = _json(path)
    model = stated.get("model", {})
    if model.get("type") != "BPE" or not isinstance(end, int):
        raise ModelFileError(f"{path}: no BPE tokenizer, or no eos_token_id in config.json")
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"])
    merges = [(first, second) for first, second in pairs]
    special = [token["content"] for token in stated.get("added_tokens", []) if token.get("special")]
    return TokenizerData(tokens, merges, special, end)
