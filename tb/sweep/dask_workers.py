"""Workers of a dask scheduler. dask carries requests and answers; which worker gets which, the sweep says."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Self

import cloudpickle
from distributed import Client
from distributed.comm.core import CommClosedError

from tb.sweep import remote
from tb.sweep.dispatch import Died, Gone, Place, WorkersError
from tb.sweep.messages import Answer, Request

#: Seconds for the scheduler to answer, and of silence of a worker after which it counts as gone.
ANSWER_SECONDS, SILENCE_SECONDS = 30.0, 60.0


class DaskWorkers:
    """The workers of a scheduler, as an asynchronous context.

    Args:
        address: of the scheduler, as tcp://host:8786.
        function: what a worker runs to answer a request.
    """

    workers_may_come = True

    def __init__(self, address: str, function: Callable[[Request], Answer] = remote.answer) -> None:
        self.name = address
        # A function inside a function: dask sends others by their name, which the scheduler would import.
        self._function = lambda request: function(request)
        self._run = uuid.uuid4().hex[:12]
        self._numbers = itertools.count()
        self._seen: dict[str, tuple[float | None, float]] = {}

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            WorkersError: the scheduler does not answer.
        """
        cloudpickle.register_pickle_by_value(remote)
        try:
            self._client = await Client(
                self.name, asynchronous=True, timeout=ANSWER_SECONDS / 3, set_as_default=False
            )
        except (OSError, ValueError, TimeoutError) as error:
            raise WorkersError(f"SCHEDULER={self.name}: {error}") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what is still running, and disconnect."""
        try:
            await asyncio.wait_for(self._client.close(), 5)
        except (OSError, TimeoutError):
            return

    async def places(self) -> dict[str, Place]:
        """The workers that the scheduler has heard of lately.

        Raises:
            WorkersError: it is not there any more.
        """
        try:
            if self._client.status != "running":
                raise CommClosedError("the connection broke")
            known = await asyncio.wait_for(self._client.scheduler.identity(n_workers=-1), ANSWER_SECONDS)
        except (OSError, TimeoutError, CommClosedError, AttributeError) as error:
            why = str(error) or f"it did not answer for {ANSWER_SECONDS:.0f} s"
            raise WorkersError(
                f"the dask scheduler at {self.name} is gone ({why}); "
                "start it again, then the same command goes on from here"
            ) from None
        return {
            address: Place(address, about["nthreads"])
            for address, about in known["workers"].items()
            if not self._silent(address, about["last_seen"])
        }

    def _silent(self, worker: str, last_seen: float) -> bool:
        """A worker that the scheduler has not heard of since so long; by the clock of this host alone."""
        before, since = self._seen.get(worker, (None, 0.0))
        if before != last_seen:
            since = time.monotonic()
            self._seen[worker] = (last_seen, since)
        return time.monotonic() - since > SILENCE_SECONDS

    async def ask(self, worker: str, request: Request) -> Answer:
        """Have a worker answer.

        Raises:
            Gone: the worker or the scheduler is gone.
            Died: the process on the worker ended without an answer.
        """
        key = f"plena-sweep-{self._run}-{os.getpid()}-{next(self._numbers)}"
        try:
            future = self._client.submit(
                self._function, request, key=key, workers=[worker], allow_other_workers=False, retries=0
            )
        except (OSError, ValueError, CommClosedError) as error:
            raise Gone(str(error)) from None
        try:
            answer: Answer = await future.result()
        except Exception as error:
            # Of dask itself: the function has no exceptions of its own.
            raise Gone(f"{type(error).__name__}: {error}") from None
        finally:
            future.release()
        if "died" in answer:
            raise Died(answer["died"])
        return answer
