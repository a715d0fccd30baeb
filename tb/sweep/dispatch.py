"""Hand the items of a plan out to workers, wherever they are, and keep what comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tb.sweep import plan as plans
from tb.sweep.messages import Answer, Request
from tb.sweep.plan import Plan
from tb.sweep.store import FormError, decode
from tb.sweep.unit import Unit
from tb.sweep.work_queue import Worker

#: Seconds between two looks at who is there.
INTERVAL = 1.0
#: Seconds that a check, and a unit, may take; a simulation has a limit of its own below the latter.
CHECK_SECONDS, UNIT_SECONDS = 120.0, 4000.0


class WorkersError(RuntimeError):
    """The sweep cannot go on; the message says why, and what to do."""


class Gone(Exception):
    """A worker, or the way to it, is gone; nothing is known of what it was asked."""


class Died(Exception):
    """The process of a unit ended without an answer; the message is the end of what it printed."""


@dataclass(frozen=True)
class Place:
    """Where units can run: a host, and how many at a time."""

    host: str
    slots: int


class Backend(Protocol):
    """Workers of some kind."""

    #: Names the place in messages.
    name: str

    async def places(self) -> dict[str, Place]:
        """The workers that are there now, by name; raises WorkersError when that cannot be known any more."""

    async def ask(self, worker: str, request: Request) -> Answer:
        """Have a worker answer a request in a process of its own; raises Gone or Died."""


class Dispatcher:
    """One sweep's way through its plan.

    Args:
        plan: what to run.
        backend: the workers.
        log: told a line about everything that happens.
        say: told a line that the user should see.
        progress: told how many items have a result.
        patience: seconds without any worker after which the sweep ends.
    """

    def __init__(
        self,
        plan: Plan,
        backend: Backend,
        log: Callable[[str], None],
        say: Callable[[str], None],
        progress: Callable[[int], None],
        patience: float,
    ) -> None:
        self.plan, self.backend, self.patience = plan, backend, patience
        self.queue = plan.queue()
        self._log, self._say, self._progress = log, say, progress
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turned_away: dict[str, str] = {}
        self._running = 0
        self._serving = 0
        self._reasons: dict[str, str] = {}
        self._measured: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._more = asyncio.Event()

    async def run(self) -> None:
        """Run everything.

        Raises:
            WorkersError: there are no workers any more, or none that may take work.
        """
        try:
            alone_since = time.monotonic()
            looked, told = float("-inf"), False
            while not self._finished():
                if time.monotonic() - looked >= INTERVAL:
                    self._meet(await self.backend.places())
                    looked = time.monotonic()
                if self._serving or any(not task.done() for task in self._tasks.values()):
                    alone_since, told = time.monotonic(), False
                elif time.monotonic() - alone_since > self.patience or not self._can_hope():
                    raise WorkersError(self._nobody())
                elif not told:
                    told = True
                    self._say(
                        f"no worker at {self.backend.name} yet; waiting for {self.patience:.0f} s at most"
                    )
                self._settle()
                self._progress(self.plan.done)
                await _wait(self._changed, INTERVAL)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            self.plan.seconds.add(self._measured)
            self._progress(self.plan.done)

    def _finished(self) -> bool:
        return not self._running and not self.queue.left

    def _can_hope(self) -> bool:
        """Workers may still come."""
        return getattr(self.backend, "workers_may_come", True)

    def _nobody(self) -> str:
        reasons = [f"{name}: {why}" for name, why in self._turned_away.items()]
        left = len(self.queue.left)
        return "; ".join(
            [f"no worker at {self.backend.name} can take the {left} cells and mutants left", *reasons]
        )

    def _meet(self, present: dict[str, Place]) -> None:
        """Start to serve those who have come, and stop for those who have gone."""
        for name in [name for name in self._tasks if name not in present]:
            self._log(f"{name} has gone")
            self._tasks.pop(name).cancel()
        for name in [name for name in self._turned_away if name not in present]:
            del self._turned_away[name]
        for name, place in present.items():
            if name not in self._tasks and name not in self._turned_away:
                self._tasks[name] = asyncio.create_task(self._serve(name, place))

    def _settle(self) -> None:
        """Items that every host here has tried in vain will not be run."""
        if self._serving and not self._running:
            self._give_up(self.queue.give_up())

    async def _serve(self, name: str, place: Place) -> None:
        """Check a worker, then give it work in as many slots as it has."""
        try:
            about = await self._check(name)
        except Turned as turned:
            self._turn_away(name, str(turned))
            return
        self._log(
            f"{name} on {place.host} takes work; it holds {len(about['holds'])} models: {about['kind']}"
        )
        workers = [
            Worker(f"{name}#{slot}", place.host, f"{about['cache']} {about['kind']}")
            for slot in range(place.slots)
        ]
        for worker in workers:
            self.queue.join(worker, about["holds"])
        self._serving += 1
        try:
            async with asyncio.TaskGroup() as slots:
                for worker in workers:
                    slots.create_task(self._work(name, worker))
        except* Turned as turned:
            self._turn_away(name, str(turned.exceptions[0]))
        except* Gone:
            self._log(f"{name} does not answer any more")
            self._tasks.pop(name, None)
        finally:
            self._serving -= 1
            for worker in workers:
                self.queue.leave(worker)
            self._notify(more=True)

    async def _check(self, name: str) -> Answer:
        """What a worker says of itself. Raises Turned when it must not take work."""
        try:
            request = self.plan.request("check")
            about = await asyncio.wait_for(self.backend.ask(name, request), CHECK_SECONDS)
        except TimeoutError:
            raise Turned(f"it did not answer within {CHECK_SECONDS:.0f} s") from None
        except (Gone, Died) as error:
            raise Turned(str(error) or "it did not answer") from None
        if "kind" not in about:
            raise Turned(about.get("refused") or about.get("failed") or "it did not answer")
        return about

    def _turn_away(self, name: str, why: str) -> None:
        self._turned_away[name] = why
        self._tasks.pop(name, None)
        self._say(f"{name} takes no work: {why}")

    async def _work(self, name: str, worker: Worker) -> None:
        """One unit after another, until there are no more."""
        while not self._finished():
            unit = self.queue.take(worker)
            if unit is None:
                await _wait(self._more, INTERVAL)
                continue
            self._running += 1
            started = time.monotonic()
            ended = good = False
            try:
                request = self.plan.request("run", unit)
                answer = await asyncio.wait_for(self.backend.ask(name, request), UNIT_SECONDS)
                good = self._receive(worker, unit, answer, time.monotonic() - started)
                ended = True
                if not good:
                    await self._check(name)
            except TimeoutError:
                ended = True
                why = f"it took more than {UNIT_SECONDS:.0f} s"
                self._failed(worker, unit, dict.fromkeys(unit.names, why), died=True)
            except Died as error:
                ended = True
                self._log(f"{worker.name}: the process of {unit} died: {error}")
                self._failed(worker, unit, dict.fromkeys(unit.names, f"its process died: {error}"), died=True)
            finally:
                if not ended:
                    self.queue.lost(worker, unit)
                self._running -= 1
                self._notify(more=unit.build or not ended or not good)

    def _receive(self, worker: Worker, unit: Unit, answer: Answer, seconds: float) -> bool:
        """Keep what an answer brings; whether everything could be run. Raises Turned for a bad worker."""
        if "refused" in answer:
            raise Turned(answer["refused"])
        if "failed" in answer:
            self._log(f"{worker.name}: {unit} could not be run: {answer['failed']}")
            self._failed(worker, unit, dict.fromkeys(unit.names, answer["failed"]), answer["failed"])
            return False
        try:
            results = [decode(values) for values in answer["results"]]
        except (FormError, KeyError) as error:
            raise Turned(f"it answered with {error}") from None
        if tuple(result.name for result in results) != unit.names:
            raise Turned(f"it answered with other results than those of {unit}")
        good = [result for result in results if result.error is None]
        self.plan.keep(good)
        for result in good:
            self._measured.update(plans.measured(result))
        if unit.build:
            self._measured[f"model {worker.machine}"] = round(seconds, 3)
        bad = {result.name: result.error for result in results if result.error is not None}
        self._log(
            f"{worker.name}: {unit}, {len(good)} results in {seconds:.1f} s, {unit.seconds:.1f} s expected"
        )
        self._failed(worker, unit, bad)
        return not bad

    def _failed(
        self, worker: Worker, unit: Unit, reasons: dict[str, str], build: str = "", died: bool = False
    ) -> None:
        """End a unit of which these names could not be run, or whose model could not be built."""
        self._reasons.update({name: f"{why} (on {worker.host})" for name, why in reasons.items()})
        if unit.build and build:
            without = self.queue.no_model(worker, unit)
            self._reasons.update({name: f"{build} (on {worker.host})" for name in without})
            self._give_up(without)
        else:
            self._give_up(
                self.queue.broke(worker, unit) if died else self.queue.finish(worker, unit, reasons)
            )

    def _give_up(self, names: list[str]) -> None:
        if names:
            missing = "no host that it was not tried on is left"
            self.plan.keep(self.plan.could_not_run(name, self._reasons.get(name, missing)) for name in names)

    def _notify(self, more: bool) -> None:
        """Something has ended; there may be more to do for those who have nothing."""
        self._changed.set()
        self._changed = asyncio.Event()
        if more or self._finished():
            self._more.set()
            self._more = asyncio.Event()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until something has happened, or for so long."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


class Turned(Exception):
    """A worker must not take more work; the message says why."""
