"""Who does what next: longest first, models where they are, nothing lost, nothing twice on a host."""

from __future__ import annotations

from collections import Counter

import pytest

from tb.sweep.unit import Unit
from tb.sweep.work_queue import HOSTS, LONGEST, MOST_CELLS, SHORTEST, Item, Worker, WorkQueue

BUILD = {"8/4": 10.0, "16/4": 10.0}


def cells(machine: str, *seconds: float) -> list[Item]:
    return [Item(f"{machine} {number}", machine, value) for number, value in enumerate(seconds)]


def alone(queue: WorkQueue, holds: tuple[str, ...] = ("8/4", "16/4")) -> Worker:
    worker = Worker("one", "host", "cache")
    queue.join(worker, holds)
    return worker


def drain(queue: WorkQueue, worker: Worker) -> list[Unit]:
    units = []
    while (unit := queue.take(worker)) is not None:
        assert queue.finish(worker, unit) == []
        units.append(unit)
    return units


def test_every_item_is_handed_out_once() -> None:
    items = [*cells("8/4", *[0.5] * 300), *cells("16/4", *[3.0] * 20), Item("mutant", None, 60.0)]
    queue = WorkQueue(items, BUILD)
    units = drain(queue, alone(queue, ()))
    names = [name for unit in units for name in unit.names]
    assert Counter(names) == Counter(item.name for item in items)
    assert sum(unit.build for unit in units) == 2
    assert queue.left == []


def test_units_are_sized_by_seconds_and_shrink_towards_the_end() -> None:
    queue = WorkQueue(cells("8/4", *[0.5] * 400), BUILD)
    units = drain(queue, alone(queue))
    seconds = [unit.seconds for unit in units]
    assert seconds == sorted(seconds, reverse=True)
    assert seconds[0] == LONGEST and SHORTEST / 2 <= seconds[-1] <= SHORTEST
    assert all(len(unit.cells) <= MOST_CELLS for unit in units)
    tiny = WorkQueue(cells("8/4", *[0.001] * 100), BUILD)
    assert len(drain(tiny, alone(tiny))[0].cells) == MOST_CELLS


def test_the_longest_comes_first_wherever_it_is() -> None:
    items = [*cells("8/4", *[1.0] * 30), *cells("16/4", 1.0, 40.0), Item("mutant", None, 35.0)]
    queue = WorkQueue(items, BUILD)
    units = drain(queue, alone(queue))
    assert units[0].cells == ("16/4 1",) and units[1].mutant == "mutant"


def test_a_worker_stays_on_its_machine() -> None:
    queue = WorkQueue([*cells("8/4", *[1.0] * 60), *cells("16/4", *[1.0] * 61)], BUILD)
    units = drain(queue, alone(queue))
    machines = [unit.cells[0].split()[0] for unit in units]
    assert machines == sorted(machines)
    assert len(set(machines)) == 2


def test_a_model_is_built_by_one_of_those_who_share_the_cache() -> None:
    queue = WorkQueue(cells("8/4", *[1.0] * 100), BUILD)
    workers = [Worker(f"w{number}", f"host {number}", "shared") for number in range(10)]
    for worker in workers:
        queue.join(worker)
    first = queue.take(workers[0])
    assert first is not None and first.build and first.names == ()
    assert [queue.take(worker) for worker in workers[1:]] == [None] * 9
    queue.finish(workers[0], first)
    units = [queue.take(worker) for worker in workers]
    assert all(unit is not None and unit.names for unit in units)


def test_a_model_whose_builder_is_lost_is_built_by_another() -> None:
    queue = WorkQueue(cells("8/4", 1.0), BUILD)
    one, two = Worker("one", "a", "shared"), Worker("two", "b", "shared")
    queue.join(one)
    queue.join(two)
    unit = queue.take(one)
    assert unit is not None and unit.build and queue.take(two) is None
    queue.lost(one, unit)
    again = queue.take(two)
    assert again is not None and again.build


def test_not_every_host_builds_every_model() -> None:
    """100 hosts with a cache each, 24 machines: nobody builds a model for less work than the build takes."""
    machines = [f"{number}/4" for number in range(24)]
    items = [item for machine in machines for item in cells(machine, *[1.0] * 100)]
    queue = WorkQueue(items, dict.fromkeys(machines, 50.0))
    workers = [Worker(f"w{number}", f"host {number}", f"cache {number}") for number in range(100)]
    for worker in workers:
        queue.join(worker)
    built: Counter[str] = Counter()
    for worker in workers:
        unit = queue.take(worker)
        if unit is not None:
            assert unit.build
            built[unit.cells[0].split()[0]] += 1
    assert set(built) == set(machines) and max(built.values()) <= 2


def test_what_fails_on_a_host_is_tried_on_others_and_then_given_up() -> None:
    queue = WorkQueue(cells("8/4", 1.0), BUILD)
    workers = [Worker(f"w{number}", f"host {number}", "cache") for number in range(HOSTS + 1)]
    for worker in workers:
        queue.join(worker, ["8/4"])
    for worker in workers[: HOSTS - 1]:
        unit = queue.take(worker)
        assert unit is not None
        assert queue.finish(worker, unit, unit.names) == []
        assert queue.take(worker) is None, "twice on a host"
    last = queue.take(workers[-1])
    assert last is not None
    assert queue.finish(workers[-1], last, last.names) == ["8/4 0"]
    assert queue.left == []


def test_on_one_host_what_fails_is_given_up_at_once() -> None:
    queue = WorkQueue(cells("8/4", 1.0, 1.0), BUILD)
    worker = alone(queue)
    unit = queue.take(worker)
    assert unit is not None and len(unit.names) == 2
    assert queue.finish(worker, unit, unit.names[:1]) == [unit.names[0]]


def test_when_the_other_hosts_leave_what_failed_is_given_up() -> None:
    queue = WorkQueue(cells("8/4", 1.0), BUILD)
    one, two = Worker("one", "a", "cache"), Worker("two", "b", "cache")
    queue.join(one, ["8/4"])
    queue.join(two, ["8/4"])
    unit = queue.take(one)
    assert unit is not None and queue.finish(one, unit, unit.names) == []
    assert queue.give_up() == []
    queue.leave(two)
    assert queue.give_up() == ["8/4 0"]


def test_after_its_process_died_each_cell_runs_alone_and_the_culprit_is_found() -> None:
    queue = WorkQueue(cells("8/4", 0.5, 0.5, 0.5), BUILD)
    worker = alone(queue)
    unit = queue.take(worker)
    assert unit is not None and len(unit.names) == 3
    assert queue.broke(worker, unit) == []
    seen = []
    while (unit := queue.take(worker)) is not None:
        assert len(unit.names) == 1
        seen += unit.names
        gone = queue.broke(worker, unit) if unit.names == ("8/4 1",) else queue.finish(worker, unit)
        assert gone == (["8/4 1"] if unit.names == ("8/4 1",) else [])
    assert sorted(seen) == ["8/4 0", "8/4 1", "8/4 2"]


def test_without_a_model_its_cells_are_given_up_but_no_others() -> None:
    queue = WorkQueue([*cells("8/4", 1.0, 1.0), *cells("16/4", 1.0)], BUILD)
    worker = alone(queue, ("16/4",))
    units = []
    while (unit := queue.take(worker)) is not None:
        if unit.build:
            assert sorted(queue.no_model(worker, unit)) == ["8/4 0", "8/4 1"]
        else:
            queue.finish(worker, unit)
            units.append(unit)
    assert [unit.cells for unit in units] == [("16/4 0",)]


@pytest.mark.parametrize("when", ["before", "later"])
def test_what_another_sweep_has_done_is_not_run(when: str) -> None:
    done: set[str] = {"8/4 1"} if when == "before" else set()
    queue = WorkQueue(cells("8/4", 1.0, 50.0, 1.0), BUILD, done.__contains__)
    worker = alone(queue)
    if when == "later":
        unit = queue.take(worker)
        assert unit is not None and unit.names == ("8/4 1",)
        queue.lost(worker, unit)
        done.add("8/4 1")
    assert "8/4 1" not in [name for unit in drain(queue, worker) for name in unit.names]
