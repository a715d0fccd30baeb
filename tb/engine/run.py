"""Run a model's cocotb tests in a folder of their own."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tb.engine import paths, registry
from tb.engine.model import Model

#: The environment variable in which a running model finds its parameters.
PARAMETERS_VARIABLE = "PLENA_TB_PARAMETERS"


def default_timeout() -> float:
    """Wall-clock seconds that a run may take: the environment variable SIM_TIMEOUT, or an hour."""
    return float(os.environ.get("SIM_TIMEOUT") or 3600)


def parameter(name: str) -> int:
    """Return a parameter of the running model, from inside a cocotb test (KeyError if it was not given)."""
    return int(json.loads(os.environ[PARAMETERS_VARIABLE])[name])


@dataclass(frozen=True)
class Request:
    """What to run on a model; the fields are described at `simulate.run`."""

    test_module: str
    search: Sequence[Path] = ()
    environment: Mapping[str, str] | None = None
    plusargs: Sequence[str] = ()
    testcase: str | None = None
    seed: int | None = None
    timeout: float | None = None


def run_in(folder: Path, model: Model, request: Request) -> float:
    """Run the tests in ``folder``, which exists; return the wall-clock seconds of the simulation.

    Raises:
        SimulationError: a test failed, none ran, the simulator stopped with an error, or the time was up.
    """
    # Here, because cocotb's side of a run imports this module too.
    from tb.engine.simulation import Simulation

    python_path = [*map(str, request.search), str(paths.REPO), *sys.path]
    simulation = Simulation(
        command=registry.get(model.simulator).command(model, request.plusargs),
        top=model.top,
        parameters=model.parameters,
        test_module=request.test_module,
        python_path=list(dict.fromkeys(python_path)),
        # Absolute: the simulation runs in that folder.
        log=folder.absolute() / "simulation.log",
        timeout=default_timeout() if request.timeout is None else request.timeout,
        testcase=request.testcase,
        seed=request.seed,
        more=request.environment or {},
    )
    started = time.monotonic()
    simulation.run()
    return time.monotonic() - started
