"""Build and run simulations: the front door of the engine.

:func:`build` compiles a model or finds it in the cache, :func:`run` runs cocotb tests on it, :func:`run_unit`
does both for one block, as every test in ``tb/unit`` wants it. tb/engine/simulator.py says what a simulator
is.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tb.engine import cache, paths, registry, scratch
from tb.engine.model import Model, Options
from tb.engine.paths import ASSERTIONS, BUILD, INCLUDES, QUICK, REPO, rtl_sources
from tb.engine.registry import SIMULATORS, default_simulator, find_tool
from tb.engine.run import Request, parameter, run_in
from tb.engine.simulator import Simulator
from tb.engine.tools import SimulationError, SimulatorMissing

__all__ = (
    "ASSERTIONS",
    "BUILD",
    "QUICK",
    "REPO",
    "SIMULATORS",
    "Model",
    "SimulationError",
    "SimulatorMissing",
    "build",
    "default_simulator",
    "find_tool",
    "parameter",
    "require",
    "rtl_sources",
    "run",
    "run_unit",
)


def default_x_seed() -> int | None:
    """The seed named by the environment variable X_SEED, or None when it is not set.

    Raises:
        SimulationError: it is no number from 1 to 2**31 - 1.
    """
    text = os.environ.get("X_SEED")
    if not text:
        return None
    if not text.isdigit() or not 0 < int(text) < 2**31:
        raise SimulationError(f"X_SEED={text} is no number from 1 to {2**31 - 1}")
    return int(text)


def build(
    top: str,
    sources: Sequence[str],
    *,
    parameters: Mapping[str, int] | None = None,
    simulator: str | None = None,
    includes: Sequence[str] = INCLUDES,
    defines: Mapping[str, int | str] | None = None,
    public: Sequence[str] | None = None,
    timing: bool = False,
    waves: bool = False,
    coverage: bool = False,
    x_seed: int | None = None,
    root: Path = REPO,
    compile: bool = True,
) -> Model:
    """Compile a simulation, or find it in the cache.

    Args:
        top: name of the top module.
        sources: SystemVerilog files in compile order, relative to ``root``; the macros for contracts come
            first, listed or not.
        parameters: values of the top module's parameters.
        simulator: a name in ``SIMULATORS``; None takes :func:`default_simulator`.
        includes: folders of `include files, relative to ``root``.
        defines: macros.
        public: signals that Python reaches where the others are hidden, as "module.variable" (wildcards
            allowed); None makes every signal of the top module visible. Fewer public signals run faster.
        timing: the sources contain delays.
        waves: build with FST tracing.
        coverage: count executed lines.
        x_seed: on a two-state simulator, draw every value that is unknown in SystemVerilog (no initial value,
            an assigned X) from this seed; None takes :func:`default_x_seed`. One with four states ignores it.
        root: tree that the sources are taken from; one with a file `QUICK` has models that build fast.
        compile: False only looks into the cache.

    Raises:
        SimulatorMissing: the simulator is not installed.
        SimulationError: a file is missing, the compiler found an error, or the simulator cannot do it.
        NotBuilt: the model is not in the cache, and `compile` is False.
    """
    sources = [ASSERTIONS, *(source for source in sources if source != ASSERTIONS)]
    name = simulator or default_simulator()
    tool, chosen = find_tool(name), registry.get(name)
    x_seed = default_x_seed() if x_seed is None else x_seed
    x_seed = None if chosen.four_state else x_seed
    options = Options(
        top=top,
        parameters=dict(parameters or {}),
        includes=tuple(includes),
        defines=dict(defines or {}),
        public=tuple(public) if public is not None else (f"{top}.*",),
        timing=timing,
        waves=waves,
        extra=_abilities(chosen, coverage, x_seed),
        quick=(root / QUICK).exists(),
    )
    return dataclasses.replace(
        cache.find_or_build(chosen, tool, root, sources, options, compile), x_seed=x_seed
    )


def _abilities(simulator: Simulator, coverage: bool, x_seed: int | None) -> tuple[str, ...]:
    """Command-line options of the compiler for what not every simulator can do."""
    extra: list[str] = []
    for wanted, arguments, what in (
        (coverage, simulator.coverage, "count executed lines"),
        (x_seed is not None, simulator.random_unknowns, "draw unknown values"),
    ):
        if wanted and arguments is None:
            raise SimulationError(f"simulator '{simulator.name}' cannot {what}")
        extra += arguments or () if wanted else ()
    return tuple(extra)


def run(
    model: Model,
    test_module: str,
    *,
    folder: Path | None = None,
    search: Iterable[Path] = (),
    environment: Mapping[str, str] | None = None,
    plusargs: Sequence[str] = (),
    testcase: str | None = None,
    seed: int | None = None,
    timeout: float | None = None,
) -> float:
    """Run the cocotb tests of ``test_module`` on a model; return the wall-clock seconds of the simulation.

    Args:
        model: what :func:`build` returned.
        test_module: importable name of the module with the cocotb tests.
        folder: working directory of the run; None makes a fresh one that is removed after a pass. A model
            with waves leaves its FST file there (dump.fst).
        search: folders put in front of the simulator's Python path.
        environment: extra environment variables.
        plusargs: command-line arguments of the simulation ("+name=value").
        testcase: regular expression of the tests to run.
        seed: random seed of cocotb.
        timeout: wall-clock seconds after which the simulation is killed; None takes the environment variable
            SIM_TIMEOUT, or an hour.

    Raises:
        SimulationError: a test failed, none ran, or the simulator stopped with an error.
    """
    request = Request(test_module, tuple(search), environment, plusargs, testcase, seed, timeout)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return run_in(folder, model, request)
    with scratch.folder(paths.BUILD / "runs" / "unit", model.top) as made:
        try:
            return run_in(made, model, request)
        except SimulationError as error:
            # Its log stays.
            kept = scratch.keep(made)
            raise SimulationError(str(error).replace(str(made), str(kept))) from None


def run_unit(
    top: str,
    sources: Sequence[str],
    test_module: str,
    parameters: Mapping[str, int] | None = None,
    simulator: str | None = None,
    public: Sequence[str] | None = None,
    testcase: str | None = None,
    seed: int | None = None,
    environment: Mapping[str, str] | None = None,
    timing: bool = False,
    waves: bool = False,
    timeout: float = 300.0,
) -> None:
    """Build one block and run its cocotb tests: what every test in ``tb/unit`` calls.

    ``test_module`` is looked for in ``tb/unit`` first. A simulator that is not installed skips the test with
    one line that says how to install it; with the environment variable CI set it fails instead.
    The other arguments are those of :func:`build` and :func:`run`.
    """
    __tracebackhide__ = True
    require(simulator or default_simulator())
    model = build(
        top,
        sources,
        parameters=parameters,
        simulator=simulator,
        public=public,
        timing=timing,
        waves=waves,
    )
    run(
        model,
        test_module,
        search=[REPO / "tb" / "unit"],
        environment=environment,
        testcase=testcase,
        seed=seed,
        timeout=timeout,
    )


def require(simulator: str) -> None:
    """Skip the calling pytest test if the simulator is missing; with CI set in the environment, fail it."""
    __tracebackhide__ = True
    try:
        find_tool(simulator)
    except SimulatorMissing as missing:
        import pytest

        if os.environ.get("CI"):
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
