"""Each row of docs/influences.md as one types it: ``python -m tests.influences.by_hand [CHECKOUT [WORD]]``.

by_hand.toml holds the lines of Bash. With BEFORE for CHECKOUT each row is tried on the commit before its
mending, in a checkout of git below build/before: it must not hold there. With a word, only the rows that have
it are tried.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tb.engine import tools
from tb.engine.paths import BUILD, REPO

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
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    run = subprocess.run(
        ["bash", "-c", trial.script],
        env={**environment, "C": str(checkout), "BASH_ENV": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    return run.returncode == 0, (run.stdout + run.stderr)[-300:]


@contextlib.contextmanager
def old_checkout(commit: str) -> Iterator[Path]:
    """A checkout of a commit, with a link to this Python's environment; removed afterwards.

    Raises:
        SimulationError: there is no git, or no such commit.
    """
    place = BUILD / "before" / commit.rstrip("^")
    git = ["git", "-C", str(REPO), "worktree"]
    tools.asked([*git, "add", "--quiet", "--detach", str(place), commit])
    try:
        (place / ".venv").symlink_to(sys.prefix)
        yield place
    finally:
        tools.asked([*git, "remove", "--force", str(place)])


def tried(rows: list[Trial], checkout: Path) -> list[Trial]:
    """Try rows in a checkout, print which of them hold, and return those."""
    held = []
    for trial in rows:
        good, end = holds(trial, checkout)
        held += [trial] if good else []
        print(f"{'holds ' if good else 'BROKEN'} {trial.what}" + ("" if good else f"\n{end}"), flush=True)
    return held


def main(arguments: list[str]) -> int:
    """Try the rows; the exit status is 1 if one does not hold, or holds before its mending."""
    where, word = [*arguments, *(".", "")[len(arguments) :]]
    rows = [trial for trial in trials() if word in trial.what]
    if where != "BEFORE":
        return int(len(tried(rows, Path(where).resolve())) < len(rows))
    held = []
    for commit in dict.fromkeys(trial.commit for trial in rows):
        print(f"== {commit}", flush=True)
        with old_checkout(commit) as checkout:
            held += tried([trial for trial in rows if trial.commit == commit], checkout)
    print(f"{len(rows) - len(held)} of {len(rows)} rows fail before their mending")
    return int(bool(held))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
