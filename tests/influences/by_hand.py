"""Each row of docs/influences.md as one types it: ``python -m tests.influences.by_hand [CHECKOUT [WORD]]``.

by_hand.toml holds the lines of Bash. A checkout of the commit before a mending shows what was mended: the row
does not hold there. With a word, only the rows that have it are tried.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Trial:
    """How one sees a row.

    Attributes:
        what: the row's influence.
        script: lines of Bash that end with 0 when the row holds.
        commit: the commit before the mending.
        before: what happened there.
    """

    what: str
    script: str
    commit: str
    before: str


def trials() -> list[Trial]:
    """All of them."""
    read = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return [
        Trial(
            row["what"],
            read["preamble"] + row["try"],
            row.get("commit", read["commit"]),
            row.get("before", ""),
        )
        for row in read["row"]
    ]


def holds(trial: Trial, checkout: Path) -> tuple[bool, str]:
    """Whether a row holds in a checkout, and the end of what was printed."""
    environment = {**os.environ, "C": str(checkout), "BASH_ENV": ""}
    run = subprocess.run(
        ["bash", "-c", trial.script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    return run.returncode == 0, (run.stdout + run.stderr)[-300:]


def main(arguments: list[str]) -> int:
    """Try the rows, and print which of them hold."""
    checkout = Path(arguments[0] if arguments else ".").resolve()
    word = arguments[1] if len(arguments) > 1 else ""
    broken = 0
    for trial in trials():
        if word in trial.what:
            good, end = holds(trial, checkout)
            broken += not good
            print(f"{'holds ' if good else 'BROKEN'} {trial.what}" + ("" if good else f"\n{end}"), flush=True)
    return min(broken, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
