"""Print a script that completes what follows `make` in bash and zsh: ``source <(make -s completion)``."""

from __future__ import annotations

import sys

from tb.bench import command, completion, options


def main(arguments: list[str]) -> int:
    """Print it and return the exit status."""
    options.refuse_all(arguments)
    print(completion.script(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
