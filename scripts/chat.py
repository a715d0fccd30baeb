"""Ask a language model: ``python -m scripts.chat PROMPT="What is the capital of France?" [TOKENS=16 ..]``."""

from __future__ import annotations

import sys

from tb.chat import command

if __name__ == "__main__":
    sys.exit(command.main(sys.argv[1:]))
