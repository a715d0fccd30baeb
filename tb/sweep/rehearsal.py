"""A sweep without machines: how long it would take with so many workers, by dask's own scheduler.

`python -m tb.sweep.rehearsal [WORKERS=100] [CACHE=shared or own] [SPEED=1]` plays the plan of the whole
matrix through. Units only sleep: as long as they were measured to take (build/sweep/seconds.json, or the
formula for what was never measured), divided by the speed. It prints the time from start to end beside the
bound, which no order of the units can beat.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import dask.config
from distributed import LocalCluster

from tb.bench import command, options
from tb.engine import scratch, simulate
from tb.mutants.swept import SWEPT
from tb.mutants.table import Mutant
from tb.sweep import matrix as matrices
from tb.sweep import plan as plans
from tb.sweep.cell import CellResult
from tb.sweep.dask_workers import DaskWorkers
from tb.sweep.dispatch import Dispatcher
from tb.sweep.fingerprint import Fingerprint
from tb.sweep.matrix import Cell
from tb.sweep.messages import Answer, Request, UnitFields
from tb.sweep.mutant import MutantResult
from tb.sweep.plan import Plan
from tb.sweep.seconds import Seconds
from tb.sweep.store import Store

#: What dask does many times a second for each worker, to be seen on its dashboard. A host of its own does not
#: notice; a hundred workers in one process would do little else.
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "10s",
    "distributed.admin.system-monitor.interval": "10s",
}


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal has shown.

    Attributes:
        seconds: from start to end, at the speed of a real sweep.
        bound: no plan takes less.
        models: how many were built.
        results: how many items have a result.
    """

    seconds: float
    bound: float
    models: int
    results: int


def bound(plan: Plan, workers: int) -> float:
    """Seconds that a plan takes at least: all work shared out evenly, with every model built once; or the
    longest cell, which must wait for its model; or the longest mutant."""
    cells = [(plans.machine(cell), plan.seconds.of_cell(cell)) for cell in plan.cells]
    models = {machine: plan.seconds.of_model(machine) for machine, _ in cells}
    mutants = [plan.seconds.of_mutant(mutant) for mutant in plan.mutants]
    work = sum(seconds for _, seconds in cells) + sum(models.values()) + sum(mutants)
    chains = [models[machine] + seconds for machine, seconds in cells]
    return max([work / workers, *chains, *mutants])


class Actors(DaskWorkers):
    """Workers that sleep instead of running a unit, `speed` times as short.

    Args:
        address: of the scheduler.
        speed: seconds of a sweep in a second.
        shared: all workers have one cache of models, which is empty at first; or each has its own.
    """

    def __init__(self, address: str, speed: float, shared: bool) -> None:
        def act(request: Request) -> Answer:
            unit = _unit(request)
            time.sleep(unit["seconds"] / speed)
            if unit["build"]:
                return {"results": []}
            if unit["mutant"]:
                return {
                    "results": [asdict(MutantResult(unit["mutant"], True, "FAIL", seconds=unit["seconds"]))]
                }
            return {"results": [asdict(CellResult(name, True)) for name in unit["cells"]]}

        super().__init__(address, act)
        self._shared = shared
        self.built: Counter[str] = Counter()

    async def ask(self, worker: str, request: Request) -> Answer:
        """A check needs no worker; every built model is counted."""
        if request["task"] == "check":
            return {"kind": "actor", "cache": "shared" if self._shared else worker, "holds": []}
        if _unit(request)["build"]:
            self.built[worker] += 1
        answer = await super().ask(worker, {**request, "matrix": "", "files": {}, "tools": {}})
        return {"results": [_as_json(values) for values in answer["results"]]}


def _unit(request: Request) -> UnitFields:
    """The unit of a request to run one."""
    assert request["unit"] is not None
    return request["unit"]


def _as_json(values: Mapping[str, object]) -> Mapping[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def rehearse(
    cells: Sequence[Cell],
    mutants: Sequence[Mutant],
    seconds: Path,
    workers: int,
    speed: float,
    shared: bool,
) -> Rehearsal:
    """Play a plan through.

    Args:
        cells, mutants: to run.
        seconds: file of measured seconds; it is only read.
        workers: how many, of a process each.
        speed: seconds of a sweep in a second.
        shared: workers share a cache of models.
    """
    with scratch.folder(simulate.BUILD / "runs", "rehearsal") as folder:
        known = Seconds(seconds)
        known.file = folder / "seconds.json"
        store = Store(folder / "results", "rehearsal")
        text = matrices.MATRIX_FILE.read_text()
        plan = plans.make(text, matrices.load(), Fingerprint({}, {}), store, known, cells, mutants)
        least = bound(plan, workers)

        async def play() -> Rehearsal:
            async with (
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=False,
                    dashboard_address=":0",
                    asynchronous=True,
                    memory_limit=0,
                ) as cluster,
                Actors(cluster.scheduler_address, speed, shared) as actors,
            ):
                started = time.monotonic()
                nothing = lambda _: None  # noqa: E731
                await Dispatcher(plan, actors, nothing, nothing, nothing, 60.0).run()
                took = (time.monotonic() - started) * speed
                return Rehearsal(took, least, actors.built.total(), 0)

        with dask.config.set(QUIET):
            shown = asyncio.run(play())
        results = sum(store.done(item) for item in plan.items.values())
        return replace(shown, results=results)


def main(arguments: Sequence[str]) -> int:
    """Rehearse the whole matrix and print what came of it; returns the exit status."""
    try:
        given = options.parse(arguments)
        workers = options.take_integer(given, "WORKERS", 100, 1, 1000)
        speed = options.take_integer(given, "SPEED", 1, 1, 1000)
        cache = given.pop("CACHE", "shared")
        if given or cache not in ("shared", "own"):
            raise options.UsageError("options are WORKERS, SPEED, and CACHE=shared or CACHE=own")
    except options.UsageError as error:
        return options.fail(error)
    cells, file = matrices.load().cells, simulate.BUILD / "sweep" / "seconds.json"
    shown = rehearse(cells, SWEPT, file, workers, speed, cache == "shared")
    print(f"{shown.results} results, {shown.models} models built by {workers} workers, cache: {cache}")
    ratio = shown.seconds / shown.bound
    print(f"{shown.seconds:.0f} s; the bound is {shown.bound:.0f} s; {ratio:.2f} times the bound")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
