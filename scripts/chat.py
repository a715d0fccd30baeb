"""Ask a language model: ``python -m scripts.chat PROMPT="What is the capital of France?" [TOKENS=16 ..]``."""

from __future__ import annotations

import sys

from tb.bench.command import run
from tb.chat.command import main

if __name__ == "__main__":
    sys.exit(run(main, sys.argv[1:]))
