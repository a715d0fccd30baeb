"""A dask scheduler and workers, started with the commands of docs/sweep.md as they stand, on this host."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from tb.engine import simulate

PAGE = simulate.REPO / "docs" / "sweep.md"
T = TypeVar("T")


def documented(beginning: str) -> list[str]:
    """The words of the command in docs/sweep.md that begins so, without its comment."""
    found = re.findall(rf"^    ({re.escape(beginning)}[^#\n]*)", PAGE.read_text(), re.MULTILINE)
    (line,) = {line.strip() for line in found}
    return shlex.split(line)


def wait_for(what: Callable[[], T], seconds: float = 60.0) -> T:
    """The first true value of `what()`."""
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
    return value


class Cluster:
    """Processes of dask in sessions of their own, all gone at the end.

    Args:
        folder: for their logs; workers put their files there too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"

    def scheduler(self) -> subprocess.Popen[bytes]:
        """Start the scheduler, on the port that was free, and wait until it listens."""
        process = self.start(
            [*documented(".venv/bin/dask scheduler"), "--port", str(self.port), "--no-dashboard"]
        )

        def listens() -> bool:
            with socket.socket() as attempt:
                return attempt.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for(listens)
        return process

    def worker(
        self, name: str, folder: Path = simulate.REPO, build: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start one worker, in `folder`; `build` moves its build folder."""
        words = documented(".venv/bin/dask worker")
        words[words.index("tcp://host:8786")] = self.address
        words[words.index("--nworkers") + 1] = "1"
        words += ["--name", name, "--no-dashboard", "--local-directory", str(self.folder)]
        return self.start(words, folder, {} if build is None else {"PLENA_BUILD": str(build)})

    def start(
        self, words: list[str], folder: Path = simulate.REPO, more: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command of the page; what is in .venv/bin is taken from where this Python is."""
        program = Path(sys.executable).parent / Path(words[0]).name
        unwanted = ("PYTHONPATH", "PYTHONSAFEPATH")
        environment = {key: value for key, value in os.environ.items() if key not in unwanted}
        log = (self.folder / f"{words[1]}-{len(self._processes)}.log").open("wb")
        process = subprocess.Popen(
            [str(program), *words[1:]],
            cwd=folder,
            env={**environment, **(more or {})},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def stop(self) -> None:
        """Kill everything."""
        for process in self._processes:
            for member in members(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(member, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster for the time of a test."""
    made = Cluster(folder)
    try:
        yield made
    finally:
        made.stop()


def members(session: int) -> list[int]:
    """The processes of a session, its leader first."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return sorted(found, key=lambda process: (process != session, process))


def worker_process(nanny: subprocess.Popen[bytes]) -> int:
    """The process that a nanny watches."""

    def find() -> int | None:
        for process in members(nanny.pid)[1:]:
            with contextlib.suppress(OSError):
                if b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes():
                    return process
        return None

    return wait_for(find)
