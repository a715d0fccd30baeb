"""Models from safetensors files that the test writes, and what is refused."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from plena_ref.configs.models import DECODERS
from plena_ref.golden.language_model import LayerWeights
from plena_ref.models.checkpoint import ModelFileError
from plena_ref.models.load import load
from plena_ref.models.safetensors_file import read_safetensors
from tests.models import files

CONFIG = DECODERS["reduced"]


@pytest.mark.parametrize(("kind", "stored"), [("F32", "<f4"), ("F16", "<f2"), ("BF16", ml_dtypes.bfloat16)])
def test_every_type(tmp_path: Path, kind: str, stored: object) -> None:
    weights = files.drawn_weights(CONFIG)
    tensors = {name: values.astype(stored) for name, values in files.safetensors_tensors(weights).items()}
    files.write_safetensors(tmp_path / "m.safetensors", tensors, CONFIG, kind)
    found = load(tmp_path / "m.safetensors")
    assert found.config == CONFIG
    assert found.tokenizer.tokens == files.TOKENS and found.tokenizer.end == 1
    assert found.tokenizer.merges == [("a", "b")] and found.tokenizer.special == files.TOKENS[:2]
    for index, layer in enumerate(found.weights.layers):
        for part in fields(LayerWeights):
            wanted = getattr(weights.layers[index], part.name).astype(stored).astype(np.float32)
            np.testing.assert_array_equal(getattr(layer, part.name), wanted)
    np.testing.assert_array_equal(found.weights.head, weights.embedding.astype(stored).astype(np.float32))


@pytest.mark.parametrize("missing", ["model.norm.weight", "model.layers.1.mlp.up_proj.weight"])
def test_a_missing_tensor_is_named(tmp_path: Path, missing: str) -> None:
    tensors = files.safetensors_tensors(files.drawn_weights(CONFIG))
    del tensors[missing]
    files.write_safetensors(tmp_path / "m.safetensors", tensors, CONFIG)
    with pytest.raises(ModelFileError, match=f"m.safetensors: tensor {missing} is missing"):
        read_safetensors(tmp_path / "m.safetensors")


def test_a_shape_that_disagrees_is_named(tmp_path: Path) -> None:
    tensors = files.safetensors_tensors(files.drawn_weights(CONFIG))
    tensors["model.layers.1.self_attn.k_proj.weight"] = np.zeros((64, 64), np.float32)
    files.write_safetensors(tmp_path / "m.safetensors", tensors, CONFIG)
    with pytest.raises(ModelFileError, match=r"k of layer 1 has shape \(64, 64\), not \(32, 64\)"):
        read_safetensors(tmp_path / "m.safetensors")


def test_numbers_must_be_finite(tmp_path: Path) -> None:
    tensors = files.safetensors_tensors(files.drawn_weights(CONFIG))
    tensors["model.norm.weight"][3] = np.nan
    files.write_safetensors(tmp_path / "m.safetensors", tensors, CONFIG)
    with pytest.raises(ModelFileError, match="the final norm holds numbers that are not finite"):
        read_safetensors(tmp_path / "m.safetensors")


def test_files_that_are_no_model(tmp_path: Path) -> None:
    path = files.reduced_checkpoint(tmp_path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ModelFileError, match="does not have the bytes of its shape"):
        read_safetensors(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match="no safetensors file"):
        read_safetensors(path)
    path.unlink()
    with pytest.raises(ModelFileError, match=r"model\.safetensors: no safetensors file"):
        read_safetensors(path)
    with pytest.raises(ModelFileError, match=r"ends in \.gguf or \.safetensors"):
        load(tmp_path / "config.json")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model_type", "gpt2", "model_type gpt2 is not llama"),
        ("rope_scaling", {"type": "linear"}, "rope_scaling is not supported"),
        ("hidden_size", None, "'hidden_size' is missing"),
        ("num_attention_heads", 3, "heads must be a multiple"),
    ],
)
def test_a_config_that_does_not_fit(tmp_path: Path, key: str, value: object, message: str) -> None:
    path = files.reduced_checkpoint(tmp_path)
    stated = json.loads((tmp_path / "config.json").read_text())
    if value is None:
        del stated[key]
    else:
        stated[key] = value
    if key == "num_attention_heads":
        stated["num_key_value_heads"] = 2
    (tmp_path / "config.json").write_text(json.dumps(stated))
    with pytest.raises(ModelFileError, match=message):
        load(path)
