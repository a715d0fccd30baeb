"""The cocotb side of the system bench: starts one job after another and takes the time of each."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import cocotb
from cocotb.triggers import FallingEdge, First, RisingEdge, Timer

from tb.engine.dut import Dut

JOBS_VARIABLE = "PLENA_TB_JOBS"
SECONDS_FILE = "seconds.json"
#: In a job's folder, how many cycles it has taken so far; written after so many more (one is a nanosecond).
CYCLES_FILE, EVERY = "cycles", 100_000


@cocotb.test()
async def run_jobs(dut: Dut) -> None:
    """Run jobs 0..n-1 (n from the environment) and leave their running times, in seconds, in a file."""
    seconds = []
    for job in range(int(os.environ[JOBS_VARIABLE])):
        dut.job.value = job
        dut.go.value = 1
        await RisingEdge(dut.running)
        started, cycles = time.perf_counter(), 0
        stopped = FallingEdge(dut.running)
        while await First(stopped, Timer(EVERY, "ns")) is not stopped:
            cycles += EVERY
            Path(f"job{job}", CYCLES_FILE).write_text(str(cycles))
        seconds.append(time.perf_counter() - started)
        await RisingEdge(dut.done)
        dut.go.value = 0
        await Timer(1, "ns")
    Path(SECONDS_FILE).write_text(json.dumps(seconds))
