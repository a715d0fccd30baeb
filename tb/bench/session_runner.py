"""The cocotb side of a session: runs jobs as they are asked for, and tells how far each one is.

Two named pipes in the run's folder: a line of the one is the number of a job, whose files are there; on the
other come `at <cycles> <seconds>` now and then, and `done <seconds>`. The session ends with the first pipe.
"""

from __future__ import annotations

import time
from pathlib import Path

import cocotb
from cocotb.triggers import FallingEdge, First, RisingEdge, Timer

from tb.engine.dut import Dut

JOBS_PIPE, EVENTS_PIPE = "jobs.pipe", "events.pipe"
#: Cycles from word to word about how far a job is; the clock has one a nanosecond.
EVERY = 50_000


@cocotb.test()
async def serve(dut: Dut) -> None:
    """Run jobs until the pipe ends."""
    with Path(JOBS_PIPE).open() as jobs, Path(EVENTS_PIPE).open("w", buffering=1) as events:
        for line in iter(jobs.readline, ""):
            dut.job.value = int(line)
            dut.go.value = 1
            await RisingEdge(dut.running)
            started, cycles = time.perf_counter(), 0
            while True:
                stopped = FallingEdge(dut.running)
                if await First(stopped, Timer(EVERY, "ns")) is stopped:
                    break
                cycles += EVERY
                events.write(f"at {cycles} {time.perf_counter() - started}\n")
            seconds = time.perf_counter() - started
            await RisingEdge(dut.done)
            dut.go.value = 0
            await Timer(1, "ns")
            events.write(f"done {seconds}\n")
