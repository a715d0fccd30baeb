"""Through dask, started as docs/sweep.md says: whatever dies, no cell is lost and none is kept twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from tb.engine import simulate
from tb.sweep import dask_workers, remote
from tb.sweep.dask_workers import DaskWorkers
from tb.sweep.dispatch import Dispatcher, WorkersError
from tb.sweep.plan import Plan
from tests.sweep.dask_cluster import Cluster, cluster, documented, members, wait_for, worker_process
from tests.sweep.plans import MATRIX, good, plan

CELLS = MATRIX.slice({"mlen": ["8"], "blen": ["4"]})[:16]
TEMPLATE = json.dumps(asdict(good(CELLS[0])))


def pretend(request: dict[str, Any]) -> dict[str, Any]:
    """What a worker does here instead of a unit: it sleeps, and all cells pass."""
    if request["task"] == "check":
        return {"kind": "verilator", "cache": "shared", "holds": ["8/4"]}
    time.sleep(0.25)
    return {"results": [json.loads(TEMPLATE) | {"name": name} for name in request["unit"]["cells"]]}


cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Run:
    """A sweep through dask, in a thread; all cells are units of their own."""

    def __init__(
        self,
        folder: Path,
        address: str,
        function: Callable[[dict[str, Any]], dict[str, Any]] = pretend,
        patience: float = 60.0,
    ) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "seconds.json").write_text(json.dumps({cell.name: 30.0 for cell in CELLS}))
        self.plan: Plan = plan(folder, CELLS)
        self.kept: list[str] = []
        self.said: list[str] = []
        self.log: list[str] = []
        self.error = ""
        self._arguments = address, function, patience
        keep = self.plan.keep

        def count(results: Any) -> None:
            results = list(results)
            self.kept += [result.name for result in results]
            keep(results)

        object.__setattr__(self.plan, "keep", count)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        address, function, patience = self._arguments

        async def work() -> None:
            async with DaskWorkers(address, function) as workers:
                said = self.said.append
                await Dispatcher(self.plan, workers, self.log.append, said, lambda _: None, patience).run()

        try:
            asyncio.run(work())
        except WorkersError as error:
            self.error = str(error)

    def end(self) -> Counter[str]:
        """Wait for the end; how often each cell was kept."""
        self._thread.join(90)
        assert not self._thread.is_alive(), self.log
        return Counter(self.kept)


ONCE = Counter(cell.name for cell in CELLS)


@pytest.fixture
def dask(tmp_path: Path):
    with cluster(tmp_path) as made:
        yield made


def test_workers_come_and_are_killed(dask: Cluster, tmp_path: Path) -> None:
    """No worker at first. Then three: one's process is killed, one's nanny, one's whole session."""
    dask.scheduler()
    run = Run(tmp_path / "run", dask.address)
    wait_for(lambda: run.said)
    assert run.said == [f"no worker at {dask.address} yet; waiting for 60 s at most"]
    nannies = [dask.worker(f"worker {number}") for number in range(3)]
    wait_for(lambda: sum("takes work" in line for line in run.log) == 3)
    wait_for(lambda: len(run.kept) >= 2)
    os.kill(worker_process(nannies[0]), signal.SIGKILL)
    wait_for(lambda: len(run.kept) >= 4)
    os.kill(nannies[1].pid, signal.SIGKILL)
    wait_for(lambda: len(run.kept) >= 6)
    for process in members(nannies[2].pid):
        os.kill(process, signal.SIGKILL)
    assert run.end() == ONCE and run.error == ""
    assert any("has gone" in line or "does not answer" in line for line in run.log)


def test_two_sweeps_through_one_scheduler(dask: Cluster, tmp_path: Path) -> None:
    """Of the same cells and sources: both end with all of them."""
    dask.scheduler()
    dask.worker("worker")
    runs = [Run(tmp_path / name, dask.address) for name in ("one", "two")]
    assert [run.end() for run in runs] == [ONCE, ONCE]
    assert [run.error for run in runs] == ["", ""]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "network gone"])
def test_the_scheduler_goes_and_what_came_is_kept(
    how: signal.Signals, dask: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Afterwards the same command goes on; a scheduler that is stopped is like a network that drops all."""
    monkeypatch.setattr(dask_workers, "ANSWER_SECONDS", 3.0)
    scheduler = dask.scheduler()
    dask.worker("worker")
    run = Run(tmp_path / "run", dask.address)
    wait_for(lambda: len(run.kept) >= 3)
    os.kill(scheduler.pid, how)
    first = run.end()
    assert f"the dask scheduler at {dask.address} is gone" in run.error
    assert "the same command goes on from here" in run.error
    assert 3 <= len(first) < len(ONCE) and max(first.values()) == 1
    with cluster(tmp_path) as again:
        again.scheduler()
        again.worker("worker")
        rest = Run(tmp_path / "run", again.address)
        assert first + rest.end() == ONCE and rest.error == ""


def test_no_scheduler_and_no_worker_are_told_apart(dask: Cluster, tmp_path: Path) -> None:
    nobody = Run(tmp_path / "nobody", "tcp://127.0.0.1:9")
    assert nobody.end() == Counter() and nobody.error.startswith("SCHEDULER=tcp://127.0.0.1:9: ")
    dask.scheduler()
    idle = Run(tmp_path / "idle", dask.address, patience=1.0)
    assert idle.end() == Counter()
    assert idle.error == f"no worker at {dask.address} can take the 16 cells and mutants left"


def test_a_worker_outside_a_checkout_or_on_other_sources_takes_no_work(dask: Cluster, tmp_path: Path) -> None:
    """With what really runs on a worker; the sources of this plan are not those of the checkout."""
    dask.scheduler()
    dask.worker("outside", tmp_path)
    dask.worker("other sources")
    run = Run(tmp_path / "run", dask.address, remote.answer, patience=20.0)
    wait_for(lambda: len(run.said) >= 2 + ("yet" in "".join(run.said)), 90)
    assert run.end() == Counter()
    assert f"{tmp_path} is no checkout: start the worker in one" in run.error
    assert "source a.py is missing, the sweep's 1" in run.error


def test_the_documented_commands_run_cells(dask: Cluster, tmp_path: Path) -> None:
    """On the RTL: scheduler, worker and sweep as the page says, the sweep cut down to two cells."""
    simulate.require("verilator")
    dask.scheduler()
    dask.worker("worker")
    make, sweep, scheduler = documented("make sweep SCHEDULER=")
    assert (make, sweep) == ("make", "sweep")
    slice_of = ["MLEN=8", "BLEN=4", "SEQ=1", "HEAD_DIM=16", "MASK=causal", "BATCH=1,2"]
    command = [sys.executable, "-m", "scripts.sweep", scheduler.replace("tcp://host:8786", dask.address)]
    ended = subprocess.run(
        [*command, *slice_of],
        cwd=simulate.REPO,
        env={**os.environ, "PLENA_BUILD": str(tmp_path / "build")},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = json.loads((tmp_path / "build" / "sweep" / "report.json").read_text())
    assert report["summary"]["cells"]["passed"] == 2 and report["summary"]["cells"]["failed"] == 0
