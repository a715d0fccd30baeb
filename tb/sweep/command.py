"""Run the declared matrix of shapes, as `make sweep` and `python -m scripts.sweep` do.

Writes ``build/sweep/report.html`` and ``report.json``, also when it is interrupted; what has a result on the
present sources is not run again. Exits 0 when every chosen cell passed and every chosen mutant was caught, 1
when something failed, could not be run or has no result, 2 when the options cannot be understood or nothing
can be written, 128 and the number of the signal that ended it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tb.bench import options
from tb.engine import simulate
from tb.sweep import choice, fingerprint, litter, report, summary
from tb.sweep import plan as plans
from tb.sweep.choice import Choice
from tb.sweep.dask_workers import DaskWorkers
from tb.sweep.declared_values import MatrixError
from tb.sweep.dispatch import Dispatcher, WorkersError
from tb.sweep.local import Here
from tb.sweep.run_log import RunLog
from tb.sweep.seconds import Seconds
from tb.sweep.store import Store

#: Where the reports, the results and the logs lie.
FOLDER = simulate.BUILD / "sweep"


def main(arguments: list[str]) -> int:
    """Run what the arguments choose and return the exit status."""
    try:
        chosen = choice.parse(arguments)
        if chosen.scheduler is None:
            simulate.find_tool("verilator")
    except (options.UsageError, MatrixError, simulate.SimulatorMissing, OSError) as error:
        return options.fail(error)
    console = Console()
    _sweep_litter()
    try:
        return _run(chosen, console)
    except OSError as error:
        return options.fail(f"{error.filename}: {error.strerror}" if error.filename else error)


def _run(chosen: Choice, console: Console) -> int:
    sources = fingerprint.take()
    store = Store(
        FOLDER / "results", sources.key, lambda line: console.print(line, markup=False, soft_wrap=True)
    )
    seconds = Seconds(FOLDER / "seconds.json")
    cells = chosen.cells(store.done)
    plan = plans.make(chosen.matrix_text, chosen.matrix, sources, store, seconds, cells, chosen.mutants)
    asked = f"{len(cells)} of {len(chosen.matrix.cells)} legal cells"
    console.print(f"{asked}; {len(chosen.matrix.illegal)} combinations are illegal")
    problem, status = "", 0
    if plan.items:
        with RunLog(FOLDER / "runs") as log:
            (log.folder / "plan.json").write_text(plan.to_json())
            console.print(f"log: {os.path.relpath(log.folder)}", soft_wrap=True)
            problem, status = _work(plan, chosen, log, console)
    elif cells or chosen.mutants:
        console.print("every one of them has its result already")
    content = report.collect(chosen.matrix, store, chosen.matrix_name)
    paths = report.write(content, FOLDER / chosen.reports, report.pages(chosen.matrix, store))
    for path in paths:
        console.print(f"report: {os.path.relpath(path)}", soft_wrap=True)
    names = {cell.name for cell in cells or chosen.slice} | {mutant.name for mutant in chosen.mutants}
    good = summary.show(content, names, console)
    if problem:
        print(f"error: {problem}", file=sys.stderr)
    return status or int(not good)


def _work(plan: plans.Plan, chosen: Choice, log: RunLog, console: Console) -> tuple[str, int]:
    """Run a plan behind a progress bar; what went wrong, or an empty text, and the exit status for it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        where = chosen.scheduler or f"{chosen.jobs} processes"
        task = progress.add_task(f"cells and mutants on {where}", total=len(plan.items))

        def say(line: str) -> None:
            log.add(line)
            progress.console.print(line, markup=False, soft_wrap=True)

        def show(done: int) -> None:
            progress.update(task, completed=done)

        async def run() -> None:
            if chosen.scheduler is None:
                here = Here(chosen.jobs, log.folder / "output.log")
                await Dispatcher(plan, here, log.add, say, show, chosen.wait).run()
                return
            async with DaskWorkers(chosen.scheduler) as workers:
                await Dispatcher(plan, workers, log.add, say, show, chosen.wait).run()

        seen: list[int] = []
        try:
            asyncio.run(_until_signal(run, seen))
        except WorkersError as error:
            return str(error), 1
        except (KeyboardInterrupt, asyncio.CancelledError):
            return "interrupted; the same command goes on from here", 128 + (seen or [signal.SIGINT])[0]
    return "", 0


async def _until_signal(run: Callable[[], Coroutine[None, None, None]], seen: list[int]) -> None:
    """Run something that ends in order at Ctrl-C, SIGTERM or SIGHUP; the second of them ends at once.

    At once means without the report. Processes of units end when this one does. The signals go to `seen`.
    """
    task = asyncio.create_task(run())

    def stop(number: int) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        if number == signal.SIGHUP:
            # The terminal is gone: what is printed from here on goes nowhere.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler of Python's stays for good, so that the end of the loop brings no default back.
        signal.signal(number, lambda number, _: stop(number))
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    await task


def _sweep_litter() -> None:
    """Remove what killed sweeps have left."""
    build = simulate.BUILD
    litter.remove(build, build / "runs", FOLDER, FOLDER / "results")
