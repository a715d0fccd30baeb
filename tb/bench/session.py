"""Jobs one at a time in one simulation: what the next one is may depend on what the last one left.

with Session(hw) as session:
    first = session.run(Job(words, images))
    second = session.run(Job(words, first.images, keep_hbm=True))
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import threading
from collections.abc import Callable
from types import TracebackType

from plena_ref.machine.hardware import Hardware
from tb.bench import harness, session_runner
from tb.bench.job import Job, JobResult
from tb.bench.job_files import read_job, write_job
from tb.engine import paths, scratch, simulate
from tb.engine.tools import SimulationError

#: Called with the cycles that a job has taken so far and its wall-clock seconds.
Progress = Callable[[int, float], None]
#: Seconds after which a look is taken whether the simulation still lives.
_PATIENCE = 0.5
#: Seconds that a whole session may take.
_SESSION_TIMEOUT = 7 * 24 * 3600.0


class Session:
    """A running simulation of one machine.

    Args:
        hw: machine shape.
        simulator: a registered simulator; None takes the default one.
        waves: take the model with waves, which writes none here; x_seed: as of `harness.run`.

    Raises:
        SimulatorMissing, SimulationError: see tb/engine/simulate.py.
    """

    def __init__(
        self, hw: Hardware, simulator: str | None = None, waves: bool = False, x_seed: int | None = None
    ) -> None:
        self.hw = hw
        self.model = harness.build(hw, simulator, waves, x_seed=x_seed)

    def __enter__(self) -> Session:
        """Start the simulation."""
        self._scratch = contextlib.ExitStack()
        self.folder = self._scratch.enter_context(scratch.folder(paths.BUILD / "runs", "session"))
        pipes = [self.folder / name for name in (session_runner.JOBS_PIPE, session_runner.EVENTS_PIPE)]
        for pipe in pipes:
            os.mkfifo(pipe)
        self._error: BaseException | None = None
        self._number, self._fill, self._rest = 0, 0, b""
        self._thread = threading.Thread(target=self._simulate, daemon=True)
        # Both ends open here, so that neither side waits for the other's.
        self._events = os.open(pipes[1], os.O_RDONLY | os.O_NONBLOCK)
        self._keep_open = os.open(pipes[0], os.O_RDWR)
        self._jobs = os.open(pipes[0], os.O_WRONLY)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the simulation, and remove its files; a job that still runs fails at its next event."""
        for pipe in (self._jobs, self._keep_open, self._events):
            os.close(pipe)
        self._thread.join()
        self._scratch.close()

    def _simulate(self) -> None:
        try:
            simulate.run(
                self.model,
                "tb.bench.session_runner",
                folder=self.folder,
                environment=harness.NO_REWRITING,
                timeout=_SESSION_TIMEOUT,
            )
        except BaseException as error:
            self._error = error

    def run(self, job: Job, progress: Progress | None = None) -> JobResult:
        """Run a job to its end; the first one of a session must bring its images.

        Raises:
            SimulationError: the simulation ended.
            ValueError: the job does not fit the machine.
        """
        number = self._number
        self._number += 1
        path = self.folder / f"job{number}"
        path.mkdir()
        self._fill = harness.fill_of(job, self._fill)
        write_job(path, self.hw, job, self._fill)
        os.write(self._jobs, f"{number}\n".encode())
        while True:
            words = self._next_event().split()
            if words[0] == "done":
                break
            if progress is not None:
                progress(int(words[1]), float(words[2]))
        result = read_job(path, self.hw, job, self._fill, float(words[1]))
        shutil.rmtree(path)
        return result

    def _next_event(self) -> str:
        """The next line of the simulation."""
        while b"\n" not in self._rest:
            alive = self._thread.is_alive()
            if select.select([self._events], [], [], _PATIENCE)[0]:
                self._rest += os.read(self._events, 1 << 16)
            if not alive:
                raise self._error or SimulationError("the simulation ended before its time")
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()
