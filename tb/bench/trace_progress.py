"""How far a simulation is, read off the trace of retired instructions that it writes as it goes.

The trace grows by three words an instruction, of which the last is the cycle; the simulator's buffer holds
the newest few hundred back. How many instructions there will be is known from the program: the reference
machine executes each as often as its loops say, or less where a body ends its loop early. Of a job without a
trace only the cycles are known, which the job runner tells now and then.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from plena_ref.isa.loops import executions
from tb.bench import job_runner
from tb.bench.job import Job
from tb.engine.steps import Look

#: Bytes of an entry of the trace: pc, word and cycle.
_ENTRY = 12


def look(folder: Path, jobs: Sequence[Job]) -> Look:
    """Where the job is that runs in a folder: cycles, and if it is traced the share of its instructions."""
    number = _running(folder, len(jobs))
    place = folder / f"job{number}"
    which = f"job {number + 1} of {len(jobs)}, " if len(jobs) > 1 else ""
    retired, cycle = _last(place / "trace.out")
    cycle = max(cycle, _told(place / job_runner.CYCLES_FILE))
    rate = f"{cycle:,} cycles, {cycle / _seconds(place):,.0f} cycles/s"
    if not jobs[number].trace:
        return Look(None, which + rate)
    total = max(sum(executions(jobs[number].words)), 1)
    share = min(retired / total, 1.0)
    return Look((number + share) / len(jobs), f"{which}{rate}, {share:.0%} of {total:,} instructions")


def _running(folder: Path, count: int) -> int:
    """The last job that has begun."""
    begun = [
        number
        for number in range(count)
        for name in ("trace.out", job_runner.CYCLES_FILE)
        if (folder / f"job{number}" / name).exists()
    ]
    return max(begun, default=0)


def _told(file: Path) -> int:
    """The cycles that the job runner tells; 0 before it has told any."""
    with contextlib.suppress(OSError, ValueError):
        return int(file.read_text())
    return 0


def _seconds(place: Path) -> float:
    """How long a job runs: the offsets that it reads at its end were written just before it began."""
    with contextlib.suppress(OSError):
        return max(time.time() - (place / "offsets").stat().st_mtime, 1e-3)
    return 1.0


def _last(file: Path) -> tuple[int, int]:
    """Entries of a trace so far, and the cycle of the last one."""
    with contextlib.suppress(OSError), file.open("rb") as trace:
        count = file.stat().st_size // _ENTRY
        if count:
            trace.seek((count - 1) * _ENTRY)
            return count, int.from_bytes(trace.read(_ENTRY)[8:], "little")
    return 0, 0
