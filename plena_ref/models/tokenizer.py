"""Text to token ids and back: byte-level BPE, rebuilt by the package `tokenizers` from a file's lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Pipeline

#: What a user's question is wrapped in: SmolLM2's chat template without a system prompt.
CHAT_TEMPLATE = "<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"


@dataclass(frozen=True)
class TokenizerData:
    """The lists that make a tokenizer.

    Attributes:
        tokens: every token's text in the alphabet of byte-level BPE, by id.
        merges: pairs that become one token, the first ones first.
        special: tokens that are never split, and left out of text.
        end: id of the token that ends an answer.
    """

    tokens: Sequence[str]
    merges: Sequence[tuple[str, str]]
    special: Sequence[str]
    end: int


class Tokenizer:
    """Byte-level BPE; digits are split one by one, no space is put before a text."""

    def __init__(self, data: TokenizerData) -> None:
        self.end = data.end
        self._bpe = _byte_level_bpe(data)

    def encode(self, text: str) -> list[int]:
        """The token ids of a text."""
        return list(self._bpe.encode(text, add_special_tokens=False).ids)

    def encode_chat(self, prompt: str) -> list[int]:
        """The token ids of a user's question, up to where the answer begins."""
        return self.encode(CHAT_TEMPLATE.format(prompt=prompt))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids; bytes that are no whole character yet become U+FFFD."""
        return str(self._bpe.decode(list(ids), skip_special_tokens=True))


def _byte_level_bpe(data: TokenizerData) -> Pipeline:
    from tokenizers import AddedToken, decoders, models, pre_tokenizers
    from tokenizers import Tokenizer as Pipeline

    vocabulary = {token: index for index, token in enumerate(data.tokens)}
    pipeline = Pipeline(models.BPE(vocab=vocabulary, merges=list(data.merges)))
    pipeline.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    pipeline.decoder = decoders.ByteLevel()
    pipeline.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in data.special])
    return pipeline
