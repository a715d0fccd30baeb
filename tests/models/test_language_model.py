"""The float64 model and the tokenizer: the real weights answer a question, and passes add up."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.configs.models import DECODERS
from plena_ref.golden.language_model import KvCache, forward
from plena_ref.models.checkpoint import Checkpoint
from plena_ref.models.load import load
from plena_ref.models.tokenizer import Tokenizer
from tests.models.files import drawn_weights
from tests.models.packages import require_model_packages

QUESTION = [1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531, 198]


@pytest.fixture(scope="module")
def real() -> Checkpoint:
    require_model_packages()
    return load()


def test_the_packaged_model_is_the_decoder_of_smolvlm2(real: Checkpoint) -> None:
    assert real.config == DECODERS["smolvlm2"]


def test_token_ids(real: Checkpoint) -> None:
    tokenizer = Tokenizer(real.tokenizer)
    assert tokenizer.end == 2
    assert tokenizer.encode_chat("What is the capital of France?") == QUESTION
    assert tokenizer.decode([504, 3575, 282, 4649, 314, 7042, 30, 2]) == "The capital of France is Paris."
    text = "  12 apples, naïve 字 \n\tx=1"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.encode("2026")) == 4


def test_the_answer(real: Checkpoint) -> None:
    cache, new, answer = KvCache(), QUESTION, []
    while len(answer) < 8:
        answer.append(int(forward(real.weights, new, cache)[-1].argmax()))
        new = answer[-1:]
    assert answer == [504, 3575, 282, 4649, 314, 7042, 30, 2]


def test_passes_of_any_length_give_the_same_logits() -> None:
    weights = drawn_weights(DECODERS["reduced"])
    tokens = [3, 1, 4, 1, 5, 9, 2]
    whole = forward(weights, tokens, KvCache())
    cache = KvCache()
    parts = [forward(weights, part, cache) for part in (tokens[:3], tokens[3:4], tokens[4:])]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-9, atol=1e-9)
    assert cache.length == len(tokens)


def test_stages_are_named_and_can_be_changed() -> None:
    weights = drawn_weights(DECODERS["reduced"])
    seen = []

    def watch(name: str, values: np.ndarray) -> np.ndarray:
        seen.append(name)
        return values * 0 if name == "layer 1 mlp residual" else values

    logits = forward(weights, [1, 2], KvCache(), stage=watch)
    assert not logits.any()
    assert seen[:3] == ["embedding", "layer 0 attention norm", "layer 0 q"] and seen[-1] == "head"
