"""What takes long, for whoever wants to show it: which step runs, since when, how far it is, and how long the
same one took last time.

Who works announces a step; `tb/bench/progress.py` shows the innermost one on a terminal.

with steps.step("Verilator translates plena_tb", "verilate plena_tb MLEN=16"):
    ...
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tb.engine import paths, scratch


@dataclass(frozen=True)
class Look:
    """How far a step is.

    Attributes:
        share: of its work, from 0 to 1; None where nobody knows.
        text: more about it, for people.
    """

    share: float | None
    text: str


@dataclass(frozen=True)
class Step:
    """A step that runs.

    Attributes:
        name: what it is, for people.
        started: of the monotonic clock, in seconds.
        before: seconds that it took last time; None: this is the first time.
        look: says how far it is; it is called from another thread. None: nobody knows.
    """

    name: str
    started: float
    before: float | None
    look: Callable[[], Look] | None


_running: list[Step] = []


def current() -> Step | None:
    """The step that was announced last and still runs."""
    running = _running[-1:]
    return running[0] if running else None


@contextlib.contextmanager
def step(name: str, key: str | None = None, look: Callable[[], Look] | None = None) -> Iterator[None]:
    """Announce the block.

    Args:
        name, look: as of `Step`.
        key: under what its seconds are kept for the next time; None keeps nothing.
    """
    started = time.monotonic()
    one = Step(name, started, None if key is None else _seconds().get(key), look)
    _running.append(one)
    try:
        yield
    finally:
        _running.remove(one)
    if key is not None:
        _keep(key, time.monotonic() - started)


def _file() -> Path:
    return paths.BUILD / "seconds.json"


def _seconds() -> dict[str, float]:
    """The kept seconds by key; what cannot be read counts as nothing."""
    try:
        found = json.loads(_file().read_text())
        return {str(key): float(value) for key, value in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _keep(key: str, seconds: float) -> None:
    """Keep the seconds of a step; not being able to is no failure."""
    with contextlib.suppress(OSError), scratch.folder(_file().parent, "seconds") as place:
        (place / "new").write_text(json.dumps({**_seconds(), key: round(seconds, 2)}, sort_keys=True))
        os.replace(place / "new", _file())
