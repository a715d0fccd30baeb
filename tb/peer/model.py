"""The compiled model of a machine; whoever waits for a build is told so."""

from __future__ import annotations

from collections.abc import Callable

from plena_ref.machine.hardware import Hardware
from tb.bench import harness
from tb.engine.model import Model
from tb.engine.tools import NotBuilt


def ready(
    hw: Hardware, simulator: str, waves: bool, x_seed: int | None, say: Callable[[str], object]
) -> Model:
    """The model of a machine from the cache, or built; `say` is told before a build begins.

    Raises:
        SimulatorMissing, SimulationError: see tb/engine/simulate.py.
    """
    try:
        return harness.build(hw, simulator, waves, x_seed=x_seed, compile=False)
    except NotBuilt:
        say(f"building the {simulator} model of this machine; it is kept, the next run finds it")
        return harness.build(hw, simulator, waves, x_seed=x_seed)
