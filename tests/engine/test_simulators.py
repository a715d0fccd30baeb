"""What every registered simulator must do, and that nothing outside of its class asks which one it is."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import shutil
from pathlib import Path

import pytest

import tb.engine
from tb.engine import registry, simulate
from tb.engine.paths import REPO
from tb.engine.simulator import Simulator
from tb.engine.tools import SimulationError, SimulatorMissing

#: A small module: its sources, its cocotb tests, its parameters.
RAM = (["rtl/memory/ram_1r1w.sv"], "cocotb_ram_1r1w", {"WORDS": 100, "WIDTH": 32})
#: Never gets past time 0: a process that waits for the same time again and again.
SPIN = """
`timescale 1ns / 1ps
module spin;
  initial forever #0;
endmodule
"""
WAIT = """
import cocotb
from cocotb.triggers import Timer


@cocotb.test()
async def wait(dut):
    await Timer(1, "ns")
"""


def test_every_class_is_registered() -> None:
    registered = {type(simulator) for simulator in registry.SIMULATORS.values()}
    for module in pkgutil.iter_modules(tb.engine.__path__):
        loaded = importlib.import_module(f"tb.engine.{module.name}")
        for _, found in inspect.getmembers(loaded, inspect.isclass):
            if issubclass(found, Simulator) and not inspect.isabstract(found):
                file = f"tb/engine/{module.name}.py"
                assert found in registered, f"{file}: {found.__name__} is not registered in registry.py"


def test_names_are_unique_and_fit_a_folder() -> None:
    for name, simulator in registry.SIMULATORS.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name) and simulator.name == name


def test_the_table_in_the_docs_is_that_of_the_classes() -> None:
    text = (REPO / "docs" / "bench.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (two|four) \| (yes|no) \| (yes|no) \| .+ \|$", text, re.MULTILINE)
    said = {name: row for name, *row in rows}
    for name, simulator in registry.SIMULATORS.items():
        assert name in said, f"docs/bench.md has no row for {name}"
        can = [
            "no" if ability is None else "yes" for ability in (simulator.coverage, simulator.random_unknowns)
        ]
        assert said[name] == ["four" if simulator.four_state else "two", *can], name
    assert set(said) == set(registry.SIMULATORS)


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_a_block_runs(simulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that is named relative to the working directory."""
    simulate.require(simulator)
    sources, module, sizes = RAM
    model = simulate.build("ram_1r1w", sources, parameters=sizes, simulator=simulator)
    monkeypatch.chdir(tmp_path)
    simulate.run(model, module, folder=Path("here"), search=[REPO / "tb" / "unit"])
    assert (tmp_path / "here" / "simulation.log").exists()


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_what_is_missing_is_named(simulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(SimulatorMissing, match=rf"^simulator '{simulator}' is not installed: run `.+`"):
        registry.get(simulator).find()


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SimulatorMissing, match="'modelsim' is unknown: choose one of verilator, icarus"):
        registry.find_tool.__wrapped__("modelsim")


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_capabilities(simulator: str) -> None:
    """Values that stand for unknown ones are drawn where there are two states, one model for all seeds."""
    simulate.require(simulator)
    one = registry.get(simulator)
    assert one.four_state == (one.random_unknowns is None)

    def build(**arguments: object) -> simulate.Model:
        sources, _, sizes = RAM
        return simulate.build("ram_1r1w", sources, parameters=sizes, simulator=simulator, **arguments)

    if one.coverage is None:
        with pytest.raises(SimulationError, match=f"'{simulator}' cannot count executed lines"):
            build(coverage=True)
    if one.four_state:
        assert build(x_seed=3).x_seed is None
    else:
        first, second = build(x_seed=3), build(x_seed=4)
        assert first.executable == second.executable != build().executable
        commands = [one.command(model, []) for model in (first, second, build())]
        assert len(set(map(tuple, commands))) == 3


def test_a_simulation_that_hangs_is_killed_and_its_test_named(tmp_path: Path) -> None:
    """On Icarus, where a process can spin at time 0 for ever."""
    simulate.require("icarus")
    (tmp_path / "rtl").mkdir()
    shutil.copy(REPO / simulate.ASSERTIONS, tmp_path / simulate.ASSERTIONS)
    (tmp_path / "spin.sv").write_text(SPIN)
    (tmp_path / "cocotb_wait.py").write_text(WAIT)
    model = simulate.build("spin", ["spin.sv"], simulator="icarus", root=tmp_path)
    with pytest.raises(SimulationError, match=r"killed after 3 seconds in .*test_simulators\.py::test_a_sim"):
        simulate.run(model, "cocotb_wait", search=[tmp_path], timeout=3)


def asks(text: str) -> list[int]:
    """Lines of a source text that compare something with the name of a simulator."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Compare)
        for side in ast.walk(node)
        if isinstance(side, ast.Constant) and side.value in registry.SIMULATORS
    ]


def test_nothing_outside_asks_which_simulator_it_is() -> None:
    found = {
        str(file.relative_to(REPO)): lines
        for folder in ("tb", "scripts")
        for file in sorted((REPO / folder).rglob("*.py"))
        if (lines := asks(file.read_text()))
    }
    assert found == {}
    assert asks('if model.simulator == "verilator":\n    pass') == [1]
    assert asks('x = 1\ny = sim in ("icarus", "other")') == [2]
