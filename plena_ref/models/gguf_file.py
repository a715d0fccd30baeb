"""Weights and metadata of a Llama-style decoder from a GGUF file, read and dequantised by the package `gguf`.

GGUF keeps the rows of q and k in the order of interleaved RoPE (pairs are neighbours); the rest of this
project rotates halves, so the rows are brought back to that order here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plena_ref.configs.models import DecoderConfig, read_config
from plena_ref.models.checkpoint import Checkpoint, ModelFileError, assemble
from plena_ref.models.tokenizer import TokenizerData

F32 = NDArray[np.float32]

#: What reads the value of a metadata key.
_Fields = Mapping[str, Callable[[], object]]

#: GGUF's names of a layer's tensors, by those of `LayerWeights`.
_LAYER = {
    "attention_norm": "attn_norm",
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "o": "attn_output",
    "mlp_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}
#: GGUF's type of a token that is never made from text.
_CONTROL = 3


def read_gguf(path: Path) -> Checkpoint:
    """The model of a GGUF file.

    Raises:
        ModelFileError: no such file, no GGUF, another architecture, or a tensor is missing or does not fit.
    """
    from gguf import GGUFReader
    from gguf.quants import dequantize

    try:
        reader = GGUFReader(path)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise ModelFileError(f"{path}: {error}") from None
    fields = {name: entry.contents for name, entry in reader.fields.items()}
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    config = _config(path, fields, tensors)

    def tensor(name: str) -> F32:
        found = tensors.get(name)
        if found is None:
            raise ModelFileError(f"{path}: tensor {name} is missing")
        return dequantize(found.data, found.tensor_type).reshape(tuple(reversed(found.shape.tolist())))

    def layer_tensor(index: int, part: str) -> F32:
        values = tensor(f"blk.{index}.{_LAYER[part]}.weight")
        return _rotate_half_order(values, config.head_dim) if part in ("q", "k") else values

    weights = assemble(
        path,
        config,
        embedding=tensor("token_embd.weight"),
        final_norm=tensor("output_norm.weight"),
        head=None if config.tied_embedding else tensor("output.weight"),
        layer_tensor=layer_tensor,
    )
    return Checkpoint(path, config, weights, _tokenizer(path, fields))


def _contents(path: Path, fields: _Fields, key: str) -> Any:  # Any: as the file has it; used as GGUF has it
    """The value of a metadata key."""
    if key not in fields:
        raise ModelFileError(f"{path}: metadata {key} is missing")
    return fields[key]()


def _config(path: Path, fields: _Fields, tensors: Collection[str]) -> DecoderConfig:
    """The sizes that the metadata states."""
    architecture = _contents(path, fields, "general.architecture")
    if architecture != "llama":
        raise ModelFileError(f"{path}: architecture {architecture} is not llama")
    value = partial(_contents, path, fields)
    heads, hidden = value("llama.attention.head_count"), value("llama.embedding_length")
    head_dim = hidden // heads
    turned = value("llama.rope.dimension_count")
    if turned != head_dim:
        raise ModelFileError(f"{path}: RoPE turns {turned} of {head_dim} features")
    sizes = {
        "hidden": hidden,
        "heads": heads,
        "kv_heads": value("llama.attention.head_count_kv"),
        "head_dim": head_dim,
        "intermediate": value("llama.feed_forward_length"),
        "rms_eps": float(f"{value('llama.attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_theta": float(value("llama.rope.freq_base")),
        "layers": value("llama.block_count"),
        "vocabulary": len(_contents(path, fields, "tokenizer.ggml.tokens")),
        "tied_embedding": "output.weight" not in tensors,
    }
    return read_config(DecoderConfig, str(path), sizes)


def _rotate_half_order(rows: F32, head_dim: int) -> F32:
    """Rows of q or k (heads * head_dim x inputs): pairs of neighbours become pairs half a head apart."""
    heads, inputs = rows.shape[0] // head_dim, rows.shape[1]
    return rows.reshape(heads, head_dim // 2, 2, inputs).swapaxes(1, 2).reshape(rows.shape)


def _tokenizer(path: Path, fields: _Fields) -> TokenizerData:
    """What the metadata says about the tokenizer."""
    value = partial(_contents, path, fields)
    kind = (value("tokenizer.ggml.model"), value("tokenizer.ggml.pre"))
    if kind != ("gpt2", "smollm"):
        raise ModelFileError(f"{path}: tokenizer {kind[0]}/{kind[1]} is not gpt2/smollm")
    tokens, kinds = value("tokenizer.ggml.tokens"), value("tokenizer.ggml.token_type")
    return TokenizerData(
        tokens=tokens,
        merges=[tuple(merge.split(" ")) for merge in value("tokenizer.ggml.merges")],
        special=[token for token, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL],
        end=value("tokenizer.ggml.eos_token_id"),
    )
