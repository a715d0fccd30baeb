"""Progress on a terminal: one line below the output about the step that runs, once it has taken two seconds.

Nothing is shown where standard error is no terminal. The steps are those of tb/engine/steps.py.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tb.engine import steps
from tb.engine.steps import Look, Step

if TYPE_CHECKING:
    from rich.progress import Progress

#: Seconds of a step before it is shown, and from look to look.
PATIENCE, _EVERY = 2.0, 0.25


@contextlib.contextmanager
def shown() -> Iterator[None]:
    """Show the steps of the block."""
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_show, args=(over,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def describe(step: Step, look: Look, now: float) -> str:
    """A line about a step.

    >>> describe(Step("C++ compiler", 0.0, 20.0, None), Look(None, "3 of 9 files"), 5.0)
    'C++ compiler: 3 of 9 files, 5 s, 20 s last time'
    """
    seconds = now - step.started
    parts = [look.text] if look.text else []
    parts.append(f"{seconds:.0f} s")
    if look.share:
        parts.append(f"{seconds * (1 - look.share) / look.share:.0f} s left")
    elif step.before is not None:
        parts.append(f"{step.before:.0f} s last time")
    return f"{step.name}: {', '.join(parts)}"


def share(step: Step, look: Look, now: float) -> float | None:
    """The share of a step that is done: as it says, or as it took last time."""
    if look.share is not None:
        return look.share
    return None if not step.before else min((now - step.started) / step.before, 0.99)


def _show(over: threading.Event) -> None:
    """Look at the step that runs until the block is over."""
    line: Progress | None = None
    while not over.wait(_EVERY):
        step, now = steps.current(), time.monotonic()
        if step is None or now - step.started < PATIENCE:
            if line is not None:
                line.stop()
                line = None
            continue
        line = line or _line()
        look = step.look() if step.look is not None else Look(None, "")
        done = share(step, look, now)
        (task,) = line.task_ids
        line.update(task, description=describe(step, look, now), completed=100 * (done or 0))
        line.tasks[0].total = 100 if done is not None else None
    if line is not None:
        line.stop()


def _line() -> Progress:
    """An empty line of progress, which goes away when it stops."""
    # Here, because most commands are over before it is needed.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    text = TextColumn("{task.description}", markup=False)
    line = Progress(BarColumn(20), text, console=Console(stderr=True), transient=True)
    line.add_task("", total=None)
    line.start()
    return line
