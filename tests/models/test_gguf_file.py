"""Models from GGUF files: one that the test writes, and what is refused."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from plena_ref.configs.models import DECODERS
from plena_ref.golden.language_model import LayerWeights, ModelWeights
from plena_ref.models.checkpoint import ModelFileError
from plena_ref.models.gguf_file import _LAYER as NAMES
from plena_ref.models.gguf_file import read_gguf
from tests.models import files
from tests.models.packages import require_model_packages

CONFIG = DECODERS["reduced"]


def _write(path: Path, weights: ModelWeights, architecture: str = "llama", leave_out: str = "") -> None:
    import gguf

    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(CONFIG.layers)
    writer.add_embedding_length(CONFIG.hidden)
    writer.add_feed_forward_length(CONFIG.intermediate)
    writer.add_head_count(CONFIG.heads)
    writer.add_head_count_kv(CONFIG.kv_heads)
    writer.add_layer_norm_rms_eps(CONFIG.rms_eps)
    writer.add_rope_freq_base(CONFIG.rope_theta)
    writer.add_rope_dimension_count(CONFIG.head_dim)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    tokens = [*files.TOKENS, *(f"t{n}" for n in range(CONFIG.vocabulary - len(files.TOKENS)))]
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3] + [1] * (CONFIG.vocabulary - 2))
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(1)
    tensors = {"token_embd.weight": weights.embedding, "output_norm.weight": weights.final_norm}
    for index, layer in enumerate(weights.layers):
        for part, name in NAMES.items():
            values = getattr(layer, part)
            if part in ("q", "k"):
                # Pair n of a head is (2n, 2n + 1) in the file, (n, n + half) in the model.
                heads = values.reshape(-1, 2, CONFIG.head_dim // 2, CONFIG.hidden)
                values = np.ascontiguousarray(heads.swapaxes(1, 2)).reshape(values.shape)
            tensors[f"blk.{index}.{name}.weight"] = values
    for name, values in tensors.items():
        if name != leave_out:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(autouse=True)
def _packages() -> None:
    require_model_packages()


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    weights = files.drawn_weights(CONFIG)
    _write(tmp_path / "m.gguf", weights)
    found = read_gguf(tmp_path / "m.gguf")
    assert found.config == CONFIG
    assert found.tokenizer.special == files.TOKENS[:2] and found.tokenizer.merges == [("a", "b")]
    for mine, theirs in zip(weights.layers, found.weights.layers, strict=True):
        for part in fields(LayerWeights):
            np.testing.assert_array_equal(getattr(theirs, part.name), getattr(mine, part.name), part.name)
    np.testing.assert_array_equal(found.weights.head, weights.embedding)


def test_what_is_refused(tmp_path: Path) -> None:
    weights = files.drawn_weights(CONFIG)
    _write(tmp_path / "m.gguf", weights, leave_out="blk.1.ffn_up.weight")
    with pytest.raises(ModelFileError, match=r"m.gguf: tensor blk\.1\.ffn_up\.weight is missing"):
        read_gguf(tmp_path / "m.gguf")
    _write(tmp_path / "other.gguf", weights, architecture="mamba")
    with pytest.raises(ModelFileError, match="architecture mamba is not llama"):
        read_gguf(tmp_path / "other.gguf")
    (tmp_path / "text.gguf").write_bytes(b"no model at all, but long enough to have a header")
    with pytest.raises(ModelFileError, match=r"text\.gguf: "):
        read_gguf(tmp_path / "text.gguf")
    with pytest.raises(ModelFileError, match=r"none\.gguf: "):
        read_gguf(tmp_path / "none.gguf")
