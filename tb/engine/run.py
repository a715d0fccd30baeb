"""Run a model's cocotb tests in a folder of their own."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tb.engine import paths, registry
from tb.engine.model import Model
from tb.engine.tools import SimulationError

_PARAMETERS_VARIABLE = "PLENA_TB_PARAMETERS"


def default_timeout() -> float:
    """Wall-clock seconds that a run may take: the environment variable SIM_TIMEOUT, or an hour."""
    return float(os.environ.get("SIM_TIMEOUT") or 3600)


def parameter(name: str) -> int:
    """Return a parameter of the running model, from inside a cocotb test (KeyError if it was not given)."""
    return int(json.loads(os.environ[_PARAMETERS_VARIABLE])[name])


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
    # Here, because cocotb's side of a run imports this module too, and that import takes 0.2 s.
    from tb.engine.prebuilt import Prebuilt

    log = folder / "simulation.log"
    what = f"{model.top} with {request.test_module}"
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    started = time.monotonic()
    try:
        simulation = Prebuilt(
            registry.get(model.simulator).command(model, request.plusargs),
            log,
            default_timeout() if request.timeout is None else request.timeout,
            toplevel=model.top,
            module=request.test_module,
            sim_build=str(folder),
            seed=request.seed,
            testcase=request.testcase,
            waves=model.waves,
            extra_env={
                **(request.environment or {}),
                _PARAMETERS_VARIABLE: json.dumps(dict(model.parameters)),
            },
        )
        simulation.logger.setLevel(logging.WARNING)
        with _python_path([str(path) for path in request.search] + [str(paths.REPO)]):
            results = Path(simulation.run())
    except SystemExit as failure:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-80:]) if log.exists() else ""
        raise SimulationError(f"{what}: {failure}\n{tail}\n(log: {log})") from None
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)
    seconds = time.monotonic() - started
    if not any(True for _ in ElementTree.parse(results).iter("testcase")):
        raise SimulationError(f"{what}: no cocotb test ran (log: {log})")
    results.unlink()
    return seconds


@contextlib.contextmanager
def _python_path(front: Iterable[str]) -> Iterator[None]:
    """Put folders in front of sys.path, which cocotb-test hands to the simulator."""
    before = list(sys.path)
    sys.path[:0] = [path for path in front if path not in sys.path]
    try:
        yield
    finally:
        sys.path[:] = before
