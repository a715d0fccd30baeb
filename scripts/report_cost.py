"""What a report adds to a passing run, and the run: ``python -m scripts.report_cost [TEST=mha_batch2]``.

Seconds of the processor as well as by the clock, since the clock also counts what else the host does. Each is
the best of some; docs/diagnosis.md has them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from plena_ref.workloads.registry import CASES
from tb.bench import case_choice, case_runner, command, options, run_files, run_page
from tb.bench.run_files import Asked
from tb.engine import environment, processes, scratch, simulate

_REPEATS = 5
_FOLDER = simulate.BUILD / "report_cost"


def _best(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of the processor, children included; of each the best."""
    found = []
    for _ in range(_REPEATS):
        clock, spent = time.perf_counter(), sum(os.times()[:4])
        action()
        found.append((time.perf_counter() - clock, sum(os.times()[:4]) - spent))
    return min(clock for clock, _ in found), min(spent for _, spent in found)


def _typed(name: str) -> None:
    """Run the case as one types it, with its model from the cache.

    Raises:
        CommandError: it did not pass.
    """
    line = [sys.executable, "-m", "scripts.run_case", f"TEST={name}", "SIM=verilator"]
    processes.output(line, simulate.REPO, environment.made())


def main(arguments: list[str]) -> int:
    """Print the seconds of each part."""
    given = options.parse(arguments)
    name = case_choice.named(given)
    options.refuse_unknown(given, ("TEST",))
    run = options.RunOptions("verilator")
    with scratch.folder(_FOLDER, name) as folder:
        made = iter(Path(folder, str(number)) for number in range(_REPEATS))
        outcome = case_runner.run_case(CASES[name], run, trace=True)
        if not outcome.passed:
            return options.fail(f"{name} does not pass")

        def leave() -> None:
            place = next(made)
            place.mkdir()
            run_files.leave(place, folder, Asked("make sim", run), outcome)

        parts = {
            "files, tensors and page": leave,
            "the page alone": lambda: run_page.page(outcome, "make sim"),
            "the whole run, from typing to verdict": lambda: _typed(name),
        }
        for title, action in parts.items():
            clock, spent = _best(action)
            print(f"{name}: {title}: {clock:.2f} s by the clock, {spent:.2f} s of the processor")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
