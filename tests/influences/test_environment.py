"""Variables of the environment that reach neither a compiler nor a simulation, nor a command of `make`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tb.engine import environment, simulate, tools
from tests.influences.checkout import make
from tests.influences.rows import row

_VARIABLES = "Variables of the environment"
_IGNORED = "nothing: simulations do not see it"


def run_ram() -> None:
    """A small simulation, on the simulator that builds in a second."""
    simulate.require("icarus")
    parameters = {"WORDS": 100, "WIDTH": 32}
    simulate.run_unit("ram_1r1w", ["rtl/memory/ram_1r1w.sv"], "cocotb_ram_1r1w", parameters, "icarus")


@row(_VARIABLES, "`COCOTB_RESULTS_FILE` names a file", "nothing: the file stays as it is")
def test_the_results_of_another_bench_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    precious = tmp_path / "results.xml"
    precious.write_text("precious")
    monkeypatch.setenv("COCOTB_RESULTS_FILE", str(precious))
    run_ram()
    assert precious.read_text() == "precious"


@row(_VARIABLES, "`WAVES=yes`, or empty", _IGNORED)
@pytest.mark.parametrize("value", ["yes", ""])
def test_waves(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVES", value)
    run_ram()


@row(_VARIABLES, "`RANDOM_SEED=abc`, `COCOTB_RANDOM_SEED=abc`", _IGNORED)
def test_random_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANDOM_SEED", "abc")
    monkeypatch.setenv("COCOTB_RANDOM_SEED", "abc")
    run_ram()


@row(_VARIABLES, "`COCOTB_TEST_FILTER`, `COCOTB_TEST_MODULES`, `COCOTB_TOPLEVEL`", _IGNORED)
@pytest.mark.parametrize("name", ["COCOTB_TEST_FILTER", "COCOTB_TEST_MODULES", "COCOTB_TOPLEVEL"])
def test_what_chooses_tests(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "nonsense")
    run_ram()


@row(_VARIABLES, "`GPI_USERS`, `COCOTB_LOG_LEVEL`, `PYTHONHOME`, `PYTHONSTARTUP` and others", _IGNORED)
def test_what_python_and_cocotb_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GPI_USERS", "COCOTB_LOG_LEVEL", "PYTHONHOME", "PYTHONINSPECT", "PYTHONWARNINGS"):
        monkeypatch.setenv(name, "nonsense")
    run_ram()


#: What a compiler, a linker, make or Verilator would read.
_OF_COMPILERS = (
    *("VERILATOR_BIN", "VERILATOR_ROOT", "CXX", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "OBJCACHE", "MAKEFLAGS"),
    *("CPATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "GCC_EXEC_PREFIX", "CCACHE_DIR", "LD_PRELOAD"),
)


@row(
    _VARIABLES,
    "`VERILATOR_BIN`, `CXXFLAGS`, `CPPFLAGS`, `LDFLAGS`, `OBJCACHE`, `MAKEFLAGS`, `CPATH` and others",
    "nothing: compilers do not see it, so the key of a build need not hold it",
)
def test_what_compilers_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _OF_COMPILERS:
        monkeypatch.setenv(name, "nonsense")
    report = "import os, pathlib; pathlib.Path('seen').write_text(' '.join(os.environ))"
    tools.execute([sys.executable, "-I", "-c", report], "report", {"ADDED": "1"}, tmp_path)
    seen = set((tmp_path / "seen").read_text().split())
    assert seen <= {*environment.HOST, *environment.FIXED, "ADDED", "LC_CTYPE"}


@row(_VARIABLES, "`TEST`, `SIM`, `PROGRAM`, `OUT` for `make`", "nothing: the command line counts")
def test_options_of_make(tmp_path: Path, checkout: Path) -> None:
    more = {"PROGRAM": "p.mem", "OUT": str(tmp_path / "out"), "SIM": "nonsense", "TEST": "nonsense"}
    result = make(checkout, "run", "SIM=reference", environment=more)
    assert (result.returncode, result.stderr.splitlines()[0]) == (2, "error: PROGRAM= is missing")
    assert "nonsense" not in make(checkout, "-n", "sim", environment=more).stdout


@row(
    _VARIABLES,
    "`SIM`, `X_SEED`, `SIM_TIMEOUT` for a command",
    "nothing: they are its options",
)
def test_settings_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment.SETTINGS:
        monkeypatch.setenv(name, "nonsense")
    environment.forget_settings()
    assert simulate.default_simulator() == next(iter(simulate.SIMULATORS))
    assert simulate.default_x_seed() is None


@row(_VARIABLES, "`PYTHONSAFEPATH`, `PYTHONPATH`, `PYTHONHOME`, `BASH_ENV` for `make`", "nothing")
def test_python_of_make(checkout: Path, program: Callable[[str], Path]) -> None:
    more = {name: "nonsense" for name in ("PYTHONSAFEPATH", "PYTHONPATH", "PYTHONHOME", "BASH_ENV")}
    path = program("p.mem")
    options = [f"PROGRAM={path}", f"OUT={path.parent / 'out'}", "SIM=reference"]
    result = make(checkout, "run", *options, environment=more)
    assert result.returncode == 0, result.stderr
