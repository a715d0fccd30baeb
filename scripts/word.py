"""Say of a word after `make` that is neither KEY=VALUE nor a target what it may have been meant to be.

``python -m scripts.word mha_ragged sim run chat ...``: the word, then all targets.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tb.bench import keys, words


def complaint(word: str, targets: Sequence[str]) -> str:
    """The error about a word."""
    target = words.closest(word, targets)
    meant = f"; did you mean {target}?" if target else keys.word_advice(word)
    return f"error: '{word}' is no target and no KEY=VALUE{meant}"


if __name__ == "__main__":
    print(complaint(sys.argv[1], sys.argv[2:]))
