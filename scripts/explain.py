"""Say what a case is before it runs: ``python -m scripts.explain TEST=mha_ragged [SEQ=..]``.

Exits 0, or 2 when there is no such case.
"""

from __future__ import annotations

import functools
import shutil
import sys

from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from tb.bench import case_choice, command, explain, options


def main(arguments: list[str]) -> int:
    """Print what the arguments describe and return the exit status."""
    given = options.parse(arguments)
    case_choice.check("explain", given)
    try:
        work = build(case_choice.overridden(given))
    except CaseError as error:
        return options.fail(error)
    width = max(shutil.get_terminal_size((110, 24)).columns, 100)
    command.show(functools.partial(explain.show, work), width)
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
