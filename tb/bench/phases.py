"""Where the time of a run goes: seconds by name, added up until somebody takes them."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator

from tb.engine import steps

_SECONDS: defaultdict[str, float] = defaultdict(float)


@contextlib.contextmanager
def phase(name: str) -> Iterator[None]:
    """Count the wall-clock seconds of the block under `name`, and announce it as a step."""
    started = time.perf_counter()
    try:
        with steps.step(name):
            yield
    finally:
        _SECONDS[name] += time.perf_counter() - started


def take() -> dict[str, float]:
    """The seconds of every phase since they were last taken."""
    found = dict(_SECONDS)
    _SECONDS.clear()
    return found
