"""A sweep that is stopped or killed while a model is being built: no process stays, and no half report."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tb.engine import simulate
from tests.sweep.dask_cluster import wait_for

SLICE = ["MLEN=8", "BLEN=4", "SEQ=1", "HEAD_DIM=16", "MASK=causal", "BATCH=1"]


def started_by(build: Path) -> list[int]:
    """Processes, but no zombies, whose build folder is this one, by environment or command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            environment = (folder / "environ").read_bytes()
            named = str(build).encode() in (folder / "cmdline").read_bytes()
            if (named or f"PLENA_BUILD={build}\0".encode() in environment) and state != "Z":
                found.append(int(folder.name))
    return found


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGHUP", "SIGINT twice", "SIGKILL"])
def test_no_process_and_no_half_report_stay(how: str, tmp_path: Path) -> None:
    simulate.require("verilator")
    build = tmp_path / "build"
    environment = {**os.environ, "PLENA_BUILD": str(build)}
    sweep = subprocess.Popen(
        [sys.executable, "-m", "scripts.sweep", *SLICE],
        cwd=simulate.REPO,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        # The sweep, the process of the unit, and what builds the model.
        wait_for(lambda: list(build.glob("models/plena_tb-*")) and len(started_by(build)) >= 3)
        number = getattr(signal, how.split()[0])
        sweep.send_signal(number)
        if how.endswith("twice"):
            time.sleep(0.05)
            with contextlib.suppress(ProcessLookupError):
                sweep.send_signal(number)
        printed, _ = sweep.communicate(timeout=60)
        wait_for(lambda: not started_by(build), 30)
    finally:
        for process in started_by(build):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    assert sweep.returncode != 0
    report = build / "sweep" / "report.json"
    if how in ("SIGINT", "SIGTERM", "SIGHUP"):
        assert sweep.returncode == 128 + number
        assert json.loads(report.read_text())["summary"]["cells"]["passed"] == 0
    if how in ("SIGINT", "SIGTERM"):
        assert "the same command goes on from here" in printed
    assert not report.exists() or json.loads(report.read_text())
