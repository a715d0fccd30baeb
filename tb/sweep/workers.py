"""The two ways to run the units of a plan: all cores of this machine, or the workers of a dask scheduler."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tb.engine import simulate
from tb.sweep import plan as plans
from tb.sweep.plan import Plan
from tb.sweep.store import sources_hash
from tb.sweep.unit import read_result

#: Seconds between two looks at the store.
INTERVAL = 0.5


class WorkersError(RuntimeError):
    """The workers could not run units; the message says where to look."""


def run_here(plan: Plan, processes: int, folder: Path, progress: Callable[[int], None]) -> None:
    """Run the plan's units with pytest-xdist.

    Args:
        plan: what to run.
        processes: how many at a time.
        folder: for the plan's file and pytest's log.
        progress: told now and then how many items have a result.

    Raises:
        WorkersError: a unit could not be run.
    """
    file, log = folder / "plan.json", folder / "pytest.log"
    plans.write(plan, file)
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(processes), "--maxschedchunk=1"]
    command += ["-p", "no:cacheprovider", "tb/sweep/pytest_units.py"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment |= {plans.VARIABLE: str(file), "OPENBLAS_NUM_THREADS": "1"}
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=simulate.REPO,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                time.sleep(INTERVAL)
                progress(plan.done())
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
    progress(plan.done())
    if process.returncode != 0:
        raise WorkersError(f"pytest ended with exit status {process.returncode}: see {log}")


def run_on_dask(plan: Plan, scheduler: str, progress: Callable[[int], None]) -> None:
    """Run the plan's units on the workers of a dask scheduler, which need a checkout with the same sources.

    A unit whose worker dies is given to another one; every unit's results arrive here once.

    Args:
        plan: what to run.
        scheduler: address, as tcp://host:8786.
        progress: told after each unit how many items have a result.

    Raises:
        WorkersError: the scheduler does not answer, or a unit could not be run.
    """
    from distributed import Client, as_completed

    try:
        client = Client(scheduler, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkersError(f"SCHEDULER={scheduler}: {error}") from None
    failures: list[str] = []
    with client:
        matrix = plan.matrix_file.read_text()
        sources = sources_hash()
        units = {
            client.submit(work, asdict(unit), matrix, sources, key=f"{unit.names[0]} {sources}"): unit
            for unit in plan.units
        }
        for future in as_completed(units, loop=client.loop):
            unit = units[future]
            if future.status == "finished":
                plan.keep(unit, [read_result(values) for values in future.result()])
            else:
                failures.append(f"{unit.names[0]}: {future.exception()}")
            future.release()
            progress(plan.done())
    if failures:
        raise WorkersError(f"{len(failures)} units could not be run; the first is {failures[0]}")


def work(unit: dict[str, Any], matrix: str, sources: str) -> list[dict[str, Any]]:
    """Run a unit in a process of its own on the machine that calls this; plain values in and out.

    Args:
        unit: fields of a `Unit`.
        matrix: text of the matrix file.
        sources: the hash that the sources here must have.

    Raises:
        WorkersError: the sources are others, or the unit could not be run.
    """
    if sources_hash() != sources:
        raise WorkersError(f"{simulate.REPO} on this worker holds other sources than the sweep's")
    simulate.BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unit-", dir=simulate.BUILD) as name:
        files = [Path(name) / part for part in ("unit.json", "matrix.toml", "results.json")]
        files[0].write_text(json.dumps(unit))
        files[1].write_text(matrix)
        command = [sys.executable, "-m", "tb.sweep.unit", *map(str, files)]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        ended = subprocess.run(command, cwd=simulate.REPO, env=environment, capture_output=True, text=True)
        if ended.returncode != 0:
            raise WorkersError(ended.stderr.strip()[-2000:])
        return json.loads(files[2].read_text())
