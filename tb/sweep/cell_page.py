"""The page of a cell that failed, packed into a line of text that fits its result."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import replace

from plena_ref.workloads.base import Workload
from tb.bench import case_runner, diagnose, run_page
from tb.bench.job import JobResult
from tb.sweep.make_sim import command


def make(workload: Workload, got: JobResult, reasons: Sequence[str]) -> str:
    """The page of a run (tb/bench/run_page.py), packed; it names no first wrong instruction.

    Args:
        workload: what ran.
        got: what it left.
        reasons: why the sweep does not let it pass.
    """
    outcome = case_runner.judge(workload, got, "verilator")
    outcome = replace(outcome, account=diagnose.diagnose(outcome.ran, None))
    return pack(run_page.page(outcome, command(workload.case), reasons))


def pack(page: str) -> str:
    """A page as a line of text."""
    return base64.b64encode(zlib.compress(page.encode(), 9)).decode()


def unpack(text: str) -> str:
    """The page that was packed."""
    return zlib.decompress(base64.b64decode(text)).decode()
