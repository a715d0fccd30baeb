"""How long a plan takes with many workers: by a clock of its own, and played through dask's own scheduler."""

from __future__ import annotations

import heapq
import json
from pathlib import Path

import pytest

from tb.mutants.table import MUTANTS
from tb.sweep.plan import machine
from tb.sweep.rehearsal import bound, rehearse
from tb.sweep.unit import Unit
from tb.sweep.work_queue import Worker
from tests.sweep.plans import MATRIX, plan


def makespan(folder: Path, number: int, shared: bool) -> tuple[float, float, int]:
    """Seconds that the whole matrix takes when all takes as long as expected, the bound, and models built."""
    made = plan(folder, MATRIX.cells, MUTANTS[:20])
    queue = made.queue()
    idle = [
        Worker(f"w{index}", f"host {index}", "shared" if shared else str(index)) for index in range(number)
    ]
    for worker in idle:
        queue.join(worker)
    running: list[tuple[float, int, Worker, Unit]] = []
    now, units, built = 0.0, 0, 0
    while True:
        waiting = []
        for worker in idle:
            unit = queue.take(worker)
            if unit is None:
                waiting.append(worker)
                continue
            units += 1
            built += unit.build
            heapq.heappush(running, (now + unit.seconds, units, worker, unit))
        if not running:
            assert queue.left == []
            return now, bound(made, number), built
        now, _, worker, unit = heapq.heappop(running)
        queue.finish(worker, unit)
        idle = [*waiting, worker]


@pytest.mark.parametrize("workers", [2, 10, 100])
def test_a_plan_takes_little_more_than_the_bound(workers: int, tmp_path: Path) -> None:
    """With a shared cache, in which each model is built once."""
    seconds, least, built = makespan(tmp_path, workers, True)
    assert least <= seconds < (1.05 if workers == 2 else 1.3) * least
    assert built == 24


def test_hosts_without_a_shared_cache_do_not_build_every_model(tmp_path: Path) -> None:
    seconds, least, built = makespan(tmp_path, 100, False)
    assert built < 200 and seconds < 2 * least


def test_a_plan_played_through_dask_takes_little_more_than_the_bound(tmp_path: Path) -> None:
    """Models take 5 s, so the bound is all work shared out evenly; units take a second of the test."""
    cells, mutants = MATRIX.cells[::10], MUTANTS[:2]
    known = {f"model {machine(cell)}": 5.0 for cell in cells}
    known |= {mutant.name: 10.0 for mutant in mutants}
    seconds = tmp_path / "seconds.json"
    seconds.write_text(json.dumps(known))
    shown = rehearse(cells, mutants, seconds, 16, 2.0, True)
    assert shown.results == len(cells) + len(mutants)
    assert shown.models == 24
    assert shown.bound <= shown.seconds < 1.3 * shown.bound
