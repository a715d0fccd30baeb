"""Where the seconds of a fresh clone's first command go: ``python -m scripts.first_command``. Prints a table.

Clones the last commit of this repository into an empty folder, and calls there what README's first command
calls: `make ready`, then `make sim TEST=mha_batch2`, twice. pip reads from its cache or the network, as the
host has it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

from rich.console import Console

from tb.bench import command, options
from tb.engine import environment, paths, processes, scratch

_CASE = "TEST=mha_batch2"


def step(folder: Path, *line: str) -> float:
    """Run a command line in a folder; its wall-clock seconds.

    Raises:
        CommandError: it failed.
    """
    started = time.monotonic()
    processes.output(line, folder, environment.made())
    return time.monotonic() - started


def measure(clone: Path) -> list[tuple[str, float]]:
    """The parts of the first command in a clone, and its time when it is typed again; seconds each.

    Raises:
        CommandError: a step failed.
    """
    step(clone.parent, "git", "clone", "--quiet", str(paths.REPO), str(clone))
    interpreter = step(clone.parent, "python3", "-m", "venv", str(clone.parent / "venv"))
    ready = step(clone, "make", "ready")
    first = step(clone, "make", "sim", _CASE)
    result = json.loads((clone / "build" / "runs" / "mha_batch2" / "result.json").read_text())
    built, simulated = result["build_seconds"], result["sim_seconds"]
    return [
        ("an empty virtual environment", interpreter),
        ("the packages of constraints.txt", ready - interpreter),
        ("Verilator and g++: run-time library and model", built),
        ("the simulation itself", simulated),
        ("Python, program, reference machine, verdict, report", first - built - simulated),
        ("all of the first command", ready + first),
        ("the same command again", step(clone, "make", "sim", _CASE)),
    ]


def main(arguments: list[str]) -> int:
    """Measure and print; 2 when a step fails."""
    options.refuse_all(arguments)
    if shutil.which("git") is None or not (paths.REPO / ".git").exists():
        return options.fail("this needs git, and a clone of the repository to clone again")
    cores = len(os.sched_getaffinity(0))
    try:
        with scratch.folder(paths.BUILD, "first-command") as place:
            parts = measure(place / "clone")
    except processes.CommandError as error:
        return options.fail(error)
    lines = [f"{cores} cores, load {os.getloadavg()[0]:.1f}", "", "| part | seconds |", "|---|---|"]
    lines += [f"| {name} | {seconds:.1f} |" for name, seconds in parts]
    Console().print("\n".join(lines), markup=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
