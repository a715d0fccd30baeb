"""The simulators that the bench knows, by name, and the one that is meant when none is named."""

from __future__ import annotations

import functools
import os

from tb.engine.icarus import Icarus
from tb.engine.simulator import Simulator
from tb.engine.tools import SimulatorMissing, Tool
from tb.engine.verilator import Verilator

#: Every simulator by its name; the first is the default.
SIMULATORS: dict[str, Simulator] = {one.name: one for one in (Verilator(), Icarus())}


def default_simulator() -> str:
    """Return the simulator named by the environment variable SIM, or the first registered one."""
    return os.environ.get("SIM") or next(iter(SIMULATORS))


def get(simulator: str) -> Simulator:
    """Return a registered simulator.

    Raises:
        SimulatorMissing: the name is unknown.
    """
    if simulator not in SIMULATORS:
        raise SimulatorMissing(f"simulator '{simulator}' is unknown: choose one of {', '.join(SIMULATORS)}")
    return SIMULATORS[simulator]


@functools.cache
def find_tool(simulator: str) -> Tool:
    """Return the installed programs of a simulator.

    Raises:
        SimulatorMissing: it is not installed, or the name is unknown.
    """
    return get(simulator).find()
