"""Records of models: what models.toml says, and what it may not say."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from plena_ref.configs.models import DECODERS, ENCODERS, ConfigError, DecoderConfig, read_config


def test_the_decoder_of_smolvlm2() -> None:
    config = DECODERS["smolvlm2"]
    assert (config.hidden, config.heads, config.kv_heads, config.head_dim) == (576, 9, 3, 64)
    assert (config.intermediate, config.layers, config.vocabulary) == (1536, 30, 49152)
    assert (config.rms_eps, config.rope_theta, config.tied_embedding) == (1e-5, 100_000.0, True)


def test_the_encoder_of_smolvlm2() -> None:
    config = ENCODERS["smolvlm2"]
    assert (config.hidden, config.heads, config.intermediate) == (768, 12, 3072)
    assert config.heads * config.head_dim == config.hidden
    assert config.norm_eps == 1e-6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 4, "kv_heads": 3}, r"^x: heads must be a multiple of kv_heads \(got 4, 3\)$"),
        ({"head_dim": 33}, r"^x: head_dim must be even \(got 33\)$"),
        ({"layers": 0}, r"^x: layers must be positive \(got 0\)$"),
        ({"rms_eps": -1e-5}, r"^x: rms_eps must be positive"),
        ({"width": 3}, "^x: width is unknown$"),
        ({"hidden": None}, "^x: hidden is missing$"),
    ],
)
def test_a_wrong_record_is_refused(change: dict[str, object], message: str) -> None:
    values = asdict(DECODERS["reduced"]) | change
    with pytest.raises(ConfigError, match=message):
        read_config(DecoderConfig, "x", {key: value for key, value in values.items() if value is not None})
