"""List the registered cases: ``python -m scripts.list_cases [FILTER=causal]``; ``make list``.

FILTER takes words; a case is listed when its row holds all of them. Exits 0, or 2 when there is no such case.
"""

from __future__ import annotations

import shutil
import sys

from plena_ref.workloads.registry import CASES
from tb.bench import case_list, command, keys, options


def main(arguments: list[str]) -> int:
    """Print the cases that the arguments choose and return the exit status."""
    try:
        given = keys.given("list", arguments)
    except options.UsageError as error:
        return options.fail(error)
    wanted = given.get("FILTER", "")
    found = case_list.matching([*CASES.values()], wanted)
    if not found:
        return options.fail(f"FILTER={wanted}: no case has all of it")
    width = max(shutil.get_terminal_size((110, 24)).columns, 100)
    command.show(lambda console: case_list.show(found, console), width)
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
