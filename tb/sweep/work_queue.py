"""What is left of a plan, and who does what next: longest first, where its model is, nothing twice on a host.

No process, no network, no clock: tests and simulations of a plan use it as the sweep does.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tb.sweep.unit import Unit

#: Seconds of work of a unit: at most, and at least while there is more.
LONGEST, SHORTEST = 20.0, 2.0
#: A unit has so many cells at most: their images lie in memory together.
MOST_CELLS = 64
#: A cell or mutant that could not be run is tried on so many hosts.
HOSTS = 3


@dataclass(frozen=True)
class Item:
    """A cell or a mutant.

    Attributes:
        name: unique.
        machine: "mlen/blen", or None for a mutant.
        seconds: how long it takes, without its model.
    """

    name: str
    machine: str | None
    seconds: float


@dataclass
class Worker:
    """Something that runs a unit at a time, on a host.

    Attributes:
        name: unique.
        host: what fails here need not fail on another.
        cache: name of the folder of models, which workers may share, with the kind of the host.
    """

    name: str
    host: str = ""
    cache: str = ""
    machine: str | None = field(default=None, compare=False)


class WorkQueue:
    """Items to do.

    Args:
        items: all of them.
        model_seconds: seconds to build the model of each machine.
        done: says of a name that it has a result meanwhile, and need not be run.
    """

    def __init__(
        self,
        items: Iterable[Item],
        model_seconds: Mapping[str, float],
        done: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self._left: dict[str, list[Item]] = defaultdict(list)
        self._items = {item.name: item for item in items}
        for item in self._items.values():
            self._left[_group(item)].append(item)
        for group in self._left.values():
            group.sort(key=lambda item: item.seconds)
        self._seconds = {name: sum(item.seconds for item in group) for name, group in self._left.items()}
        self._failed: Counter[str] = Counter()
        self._model_seconds = model_seconds
        self._done = done
        self._holds: dict[str, set[str]] = defaultdict(set)
        self._building: dict[str, set[str]] = defaultdict(set)
        self._tried: dict[str, set[str]] = defaultdict(set)
        self._alone: set[str] = set()
        self._active: Counter[str] = Counter()
        self._workers: dict[str, Worker] = {}

    def join(self, worker: Worker, holds: Iterable[str] = ()) -> None:
        """A worker comes; its cache holds the models of these machines."""
        self._workers[worker.name] = worker
        self._holds[worker.cache] |= set(holds)

    def leave(self, worker: Worker) -> None:
        """A worker has gone."""
        self._workers.pop(worker.name, None)

    @property
    def left(self) -> list[str]:
        """Names that nobody runs and that have no result."""
        return [item.name for group in self._left.values() for item in group]

    @property
    def hosts(self) -> set[str]:
        """Hosts of the workers that are here."""
        return {worker.host for worker in self._workers.values()}

    def take(self, worker: Worker) -> Unit | None:
        """The next unit for a worker; None while there is none for it."""
        while (group := self._choose(worker)) is not None:
            first = self._for_host(group, worker.host)[-1]
            if first.machine is not None and group not in self._holds[worker.cache]:
                if self._done(first.name):
                    self._remove(first)
                    continue
                self._start(worker, group)
                self._building[worker.cache].add(group)
                return Unit(cells=(first.name,), build=True, seconds=self._model_seconds[group])
            chosen = self._chunk(self._for_host(group, worker.host))
            for item in chosen:
                self._remove(item)
            items = [item for item in chosen if not self._done(item.name)]
            if not items:
                continue
            self._start(worker, group)
            seconds = sum(item.seconds for item in items)
            if first.machine is None:
                return Unit(mutant=first.name, seconds=seconds)
            return Unit(tuple(item.name for item in items), seconds=seconds)
        return None

    def finish(self, worker: Worker, unit: Unit, failed: Iterable[str] = ()) -> list[str]:
        """A unit has ended; these of its items could not be run. Returns those that no other host can try."""
        group = self._group_of(unit)
        self._active[group] -= 1
        if unit.build:
            self._building[worker.cache].discard(group)
            self._holds[worker.cache].add(group)
            return []
        given_up = []
        for name in failed:
            self._tried[name].add(worker.host)
            self._failed[worker.host] += 1
            if len(self._tried[name]) < HOSTS and self.hosts - self._tried[name]:
                self._put_back(name)
            else:
                given_up.append(name)
        return given_up

    def lost(self, worker: Worker, unit: Unit) -> None:
        """Nothing came of a unit, through no fault of its items: they are to be run again."""
        group = self._group_of(unit)
        self._active[group] -= 1
        self._building[worker.cache].discard(group)
        for name in unit.names:
            self._put_back(name)

    def broke(self, worker: Worker, unit: Unit) -> list[str]:
        """The process of a unit died. Its items are tried one by one; returns those that did it alone."""
        if len(unit.names) <= 1:
            return self.finish(worker, unit, unit.names)
        self._alone |= set(unit.names)
        self.lost(worker, unit)
        return []

    def no_model(self, worker: Worker, unit: Unit) -> list[str]:
        """The model of a unit cannot be built on a host; returns the items that no other host can try."""
        group = self._group_of(unit)
        self._active[group] -= 1
        self._building[worker.cache].discard(group)
        for item in self._left[group]:
            self._tried[item.name].add(worker.host)
            self._failed[worker.host] += 1
        return self.give_up(group)

    def give_up(self, group: str | None = None) -> list[str]:
        """Take out, of one group or of all, what every host that is here has tried; returns the names."""
        items = [item for name, items in self._left.items() if group in (None, name) for item in items]
        gone = [item for item in items if not self.hosts - self._tried[item.name]]
        for item in gone:
            self._remove(item)
        return [item.name for item in gone]

    def _start(self, worker: Worker, group: str) -> None:
        worker.machine = group
        self._active[group] += 1

    def _for_host(self, group: str, host: str) -> list[Item]:
        """What is left of a group and was not tried on this host, the longest last."""
        if not self._failed[host]:
            return self._left[group]
        return [item for item in self._left[group] if host not in self._tried[item.name]]

    def _choose(self, worker: Worker) -> str | None:
        """The group that the worker goes on with.

        First what is so long that everything would wait for it at the end; then the machine that the worker
        is on, machines that nobody is on, those whose model it holds, and at last those for whose model it
        would take longer to wait for the others. A model that is being built is waited for.
        """
        holds, building = self._holds[worker.cache], self._building[worker.cache]
        usable = {name: left for name in self._left if (left := self._for_host(name, worker.host))}
        sums = self._seconds
        build = {name: 0.0 if self._ready(name, holds) else self._model_seconds[name] for name in usable}
        open_groups = [
            name
            for name in usable
            if name not in building and (not build[name] or sums[name] > self._active[name] * build[name])
        ]
        if not open_groups:
            return None
        share = (sum(sums[name] for name in usable) + sum(build.values())) / max(1, len(self._workers))

        def head(name: str) -> float:
            return build[name] + usable[name][-1].seconds

        longest = max(open_groups, key=head)
        if head(longest) > share / 2:
            return longest
        if worker.machine in open_groups and not build[worker.machine]:
            return worker.machine

        def rank(name: str) -> tuple[bool, bool, float]:
            alone = not self._active[name]
            return alone, not build[name], (build[name] + sums[name]) / (1 + self._active[name])

        return max(open_groups, key=rank)

    def _ready(self, group: str, holds: set[str]) -> bool:
        return group in holds or self._items.get(group) is not None

    def _chunk(self, group: list[Item]) -> list[Item]:
        """The longest of a machine, together no longer than a share of what is left."""
        left = sum(self._seconds.values())
        wanted = min(LONGEST, max(SHORTEST, left / (4 * max(1, len(self._workers)))))
        chosen: list[Item] = []
        seconds = 0.0
        for item in reversed(group):
            alone = item.name in self._alone
            if chosen and (alone or seconds + item.seconds > wanted or len(chosen) == MOST_CELLS):
                break
            chosen.append(item)
            seconds += item.seconds
            if alone:
                break
        return chosen

    def _group_of(self, unit: Unit) -> str:
        return _group(self._items[unit.mutant or unit.cells[0]])

    def _put_back(self, name: str) -> None:
        item = self._items[name]
        self._left[_group(item)].append(item)
        self._left[_group(item)].sort(key=lambda item: item.seconds)
        self._seconds[_group(item)] += item.seconds

    def _remove(self, item: Item) -> None:
        self._left[_group(item)].remove(item)
        self._seconds[_group(item)] -= item.seconds


def _group(item: Item) -> str:
    return item.name if item.machine is None else item.machine
