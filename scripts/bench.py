"""Measure the bench: ``python -m scripts.bench``. Prints a table and writes ``build/bench.json``.

Exits 1 when a figure misses its target. Times are wall clock, from the start of a process to its end.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from plena_ref.cases import CASES, build
from tb import harness, simulate
from tb.harness import Job

#: Repetitions of a program inside one simulation when its speed is measured.
REPEATS = 10
_FOLDER = simulate.BUILD / "bench"


@dataclass(frozen=True)
class Figure:
    """One measured number, its unit, and the bound it has to keep (from below or above)."""

    name: str
    value: float
    unit: str
    bound: float
    at_most: bool

    @property
    def good(self) -> bool:
        """The bound is kept."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound


def _command(test: str) -> list[str]:
    return [sys.executable, "-m", "scripts.run_case", f"TEST={test}", "SIM=verilator"]


def _seconds(tests: list[str]) -> float:
    """Run cases at the same time in processes of their own; return the wall-clock seconds of all.

    Raises:
        RuntimeError: a case did not pass.
    """
    environment = {**os.environ, "PLENA_BUILD": str(_FOLDER)}
    started = time.monotonic()
    quiet = {"cwd": simulate.REPO, "env": environment, "stdout": subprocess.DEVNULL}
    processes = [subprocess.Popen(_command(test), **quiet) for test in tests]
    failed = [test for test, process in zip(tests, processes, strict=True) if process.wait() != 0]
    if failed:
        raise RuntimeError(f"{', '.join(failed)} did not pass")
    return time.monotonic() - started


def _rate(test: str) -> float:
    """Simulated cycles a second of a case on Verilator, from start to stop of the program, over some runs."""
    workload = build(CASES[test])
    job = Job(workload.words, workload.images, workload.limit)
    results = harness.run(workload.case.hardware, [job] * REPEATS, "verilator").jobs
    return sum(result.cycles for result in results) / sum(result.seconds for result in results)


def measure() -> list[Figure]:
    """Take every figure, the first from an empty build folder."""
    shutil.rmtree(_FOLDER, ignore_errors=True)
    first = _seconds(["mha_batch2"])
    again = min(_seconds(["mha_batch2"]) for _ in range(3))
    _seconds(["mha_batch2_sub64"])
    both = _seconds(["mha_batch2", "mha_batch2_sub64"])
    shutil.rmtree(_FOLDER)
    return [
        Figure("mha_batch2: build and run", first, "s", 45, True),
        Figure("mha_batch2: run again", again, "s", 6, True),
        Figure("mha_batch2 and mha_batch2_sub64 side by side", both, "s", 12, True),
        Figure("mha_causal_tiles (MLEN 64, BLEN 16)", _rate("mha_causal_tiles"), "cycles/s", 60_000, False),
        Figure("mha_ragged (MLEN 16, BLEN 4)", _rate("mha_ragged"), "cycles/s", 300_000, False),
    ]


def main() -> int:
    """Measure, print, and write the JSON file."""
    figures = measure()
    cores = len(os.sched_getaffinity(0))
    table = Table(
        title=f"{platform.machine()}, {cores} cores, load {os.getloadavg()[0]:.1f}", title_justify="left"
    )
    for column in ("figure", "measured", "target", ""):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for figure in figures:
        digits = 1 if figure.unit == "s" else 0
        sign = "at most" if figure.at_most else "at least"
        table.add_row(
            figure.name,
            f"{figure.value:,.{digits}f} {figure.unit}",
            f"{sign} {figure.bound:,.0f} {figure.unit}",
            "ok" if figure.good else "MISSED",
        )
    Console(width=max(100, shutil.get_terminal_size().columns)).print(table)
    simulate.BUILD.mkdir(exist_ok=True)
    (simulate.BUILD / "bench.json").write_text(
        json.dumps([{**asdict(figure), "good": figure.good} for figure in figures], indent=2) + "\n"
    )
    return 0 if all(figure.good for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
