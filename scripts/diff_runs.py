"""Compare two runs: ``python -m scripts.diff_runs A=build/runs/mha_batch2 B=dir``; ``make diff``.

A and B are folders of runs, or names of cases whose newest runs are meant. Exits 0 when nothing differs, 1
when something does, 2 when one of them is no run.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tb.bench import command, keys, options, run_difference
from tb.engine import paths
from tb.runs import record


def main(arguments: list[str]) -> int:
    """Print what differs and return the exit status."""
    given = options.parse(arguments)
    keys.check("diff", given)
    for needed in ("A", "B"):
        if needed not in given:
            raise options.UsageError(f"{needed}= is missing")
    try:
        runs = [record.read(_folder(given[name])) for name in ("A", "B")]
    except record.RecordError as error:
        return options.fail(error)
    found = [*run_difference.lines(*runs)]
    print("\n".join(found))
    return int(any(" -> " in line or " differ" in line or line.startswith("  @@") for line in found))


def _folder(text: str) -> Path:
    """The folder that a text names, or that of the newest run of a case."""
    folder = Path(text)
    newest = paths.BUILD / "runs" / text
    return newest.resolve() if not folder.exists() and newest.exists() else folder


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
