"""Run the declared matrix of shapes: ``python -m scripts.sweep [MLEN=8,16 MASK=cached LIMIT=100 ...]``.

Writes ``build/sweep/report.html`` and ``report.json``, also when it is interrupted; what has a result on the
present sources is not run again. Exits 0 when everything that has run passed, 1 when a cell failed, a mutant
escaped or something could not be run, 2 when the options cannot be understood.
"""

from __future__ import annotations

import os
import signal
import sys
import zlib
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from tb.bench import options
from tb.engine import simulate
from tb.mutants.table import MUTANTS
from tb.sweep import matrix as matrices
from tb.sweep import plan as plans
from tb.sweep import report, workers
from tb.sweep.matrix import AXES
from tb.sweep.store import Store

#: Where the reports, the results and the logs lie.
FOLDER = simulate.BUILD / "sweep"


def main(arguments: list[str]) -> int:
    """Run what the arguments choose and return the exit status."""
    try:
        given = options.parse(arguments)
        matrix_file = Path(given.pop("MATRIX", matrices.MATRIX_FILE))
        scheduler = given.pop("SCHEDULER", None)
        quick = options.take_integer(given, "QUICK", 0, 0, 1)
        limit = options.take_integer(given, "LIMIT", 0, 0, 1 << 31)
        jobs = options.take_integer(given, "JOBS", len(os.sched_getaffinity(0)), 1, 1 << 10)
        whole = not (quick or limit or set(given) & {axis.upper() for axis in AXES})
        with_mutants = options.take_integer(given, "MUTANTS", int(whole), 0, 1)
        matrix = matrices.load(matrix_file)
        wanted = {axis.lower(): values.split(",") for axis, values in given.items()}
        cells = matrix.slice(wanted)
        simulate.find_tool("verilator")
    except (options.UsageError, matrices.MatrixError, simulate.SimulatorMissing, OSError) as error:
        return options.fail(error)
    store = Store(FOLDER / "results")
    if quick:
        chosen = {cell.name for cell in matrix.quick_cells()}
        cells = tuple(cell for cell in cells if cell.name in chosen)
    if limit:
        left = [cell for cell in cells if not store.done(cell)]
        cells = tuple(sorted(left, key=lambda cell: zlib.crc32(cell.name.encode()))[:limit])
    plan = plans.make(matrix_file, store, cells, MUTANTS if with_mutants else ())

    console = Console()
    console.print(f"{len(cells)} of {len(matrix.cells)} legal cells; {len(matrix.illegal)} illegal ones")
    problem = ""
    try:
        _run(plan, scheduler, jobs, console)
    except workers.WorkersError as error:
        problem = str(error)
    except KeyboardInterrupt:
        problem = "interrupted; the same command goes on from here"
    content = report.collect(matrix, store)
    for path in report.write(content, FOLDER):
        console.print(f"report: {os.path.relpath(path)}")
    _print(content, console)
    if problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    return 0 if report.Summary(**content["summary"]).ok else 1


def _run(plan: plans.Plan, scheduler: str | None, jobs: int, console: Console) -> None:
    """Run the units of a plan behind a progress bar.

    Raises:
        WorkersError: a unit could not be run.
    """
    total = sum(len(unit.names) for unit in plan.units)
    if not total:
        console.print("every one of them has its result already")
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        where = scheduler or f"{jobs} processes"
        task = progress.add_task(f"cells and mutants on {where}", total=total)

        def show(done: int) -> None:
            progress.update(task, completed=done)

        if scheduler:
            workers.run_on_dask(plan, scheduler, show)
        else:
            workers.run_here(plan, jobs, FOLDER, show)


def _print(content: dict, console: Console) -> None:
    summary = content["summary"]
    table = Table(title="sweep", title_justify="left")
    for column in ("", "passed", "failed", "not run"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row("cells", *(str(summary[key]) for key in ("passed", "failed", "not_run")))
    escaped = summary["mutants"] - summary["caught"] - summary["mutants_not_run"]
    table.add_row("mutants caught", str(summary["caught"]), str(escaped), str(summary["mutants_not_run"]))
    console.print(table)
    for cell in content["cells"]:
        if cell["status"] == "failed":
            console.print(f"FAIL {cell['name']}: {cell['error'] or '; '.join(cell['reasons'])}", markup=False)
    for mutant in content["mutants"]:
        if mutant["status"] == "not caught":
            console.print(f"NOT CAUGHT {mutant['name']}: {mutant['evidence']}", markup=False)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
