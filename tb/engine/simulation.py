"""One run of a compiled model under cocotb: its environment, its process, its results."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from cocotb_tools.config import pygpi_entry_point

from tb.engine import environment, processes
from tb.engine.run import PARAMETERS_VARIABLE
from tb.engine.tools import SimulationError, python_library

_RESULTS = "results.xml"


@dataclass(frozen=True)
class Simulation:
    """What one run needs.

    Attributes:
        command: the command line of the model.
        top: its top module.
        parameters: values of the top module's parameters, for the tests.
        test_module: importable name of the module with the tests.
        python_path: where modules are looked for, in order.
        log: file that takes the output; its folder is the working directory.
        timeout: wall-clock seconds after which it is stopped.
        testcase: regular expression of the tests to run, or None for all.
        seed: random seed of cocotb, or None for one that it draws.
        more: further variables of the environment.
    """

    command: Sequence[str]
    top: str
    parameters: Mapping[str, int]
    test_module: str
    python_path: Sequence[str]
    log: Path
    timeout: float
    testcase: str | None
    seed: int | None
    more: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """The environment of the process."""
        chosen = {"COCOTB_TEST_FILTER": self.testcase} if self.testcase is not None else {}
        if self.seed is not None:
            chosen["COCOTB_RANDOM_SEED"] = str(self.seed)
        return environment.made(
            {
                **self.more,
                **chosen,
                PARAMETERS_VARIABLE: json.dumps(dict(self.parameters)),
                "COCOTB_RESULTS_FILE": str(self.log.parent / _RESULTS),
                "COCOTB_TEST_MODULES": self.test_module,
                "COCOTB_TOPLEVEL": self.top,
                "GPI_USERS": f"{python_library()};{pygpi_entry_point()}",
                "PYGPI_PYTHON_BIN": sys.executable,
                "PYTHONHOME": str(sysconfig.get_config_var("prefix")),
                "PYTHONPATH": os.pathsep.join(self.python_path),
            }
        )

    def run(self) -> None:
        """Run it.

        Raises:
            SimulationError: a test failed, none ran, the simulator stopped with an error, or the time was up.
        """
        results = self.log.parent / _RESULTS
        results.unlink(missing_ok=True)
        try:
            with self.log.open("wb") as output:
                status = processes.run(
                    self.command, self.log.parent, self.environment(), output, self.timeout
                )
        except subprocess.TimeoutExpired:
            raise self._failure(f"simulation killed after {self.timeout:.0f} seconds{_asker()}") from None
        if status != 0:
            raise self._failure(f"simulation ended with exit status {status}")
        found = _testcases(results)
        if found is None:
            raise self._failure("simulation ended without results")
        failed = sum(one.find("failure") is not None or one.find("error") is not None for one in found)
        if failed:
            raise self._failure(f"{failed} of {len(found)} tests failed")
        if not found:
            raise self._failure("no cocotb test ran")
        results.unlink()

    def _failure(self, why: str) -> SimulationError:
        """The error of a run, with the end of its log."""
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-80:])
        return SimulationError(f"{self.top} with {self.test_module}: {why} (log: {self.log})\n{tail}")


def _testcases(results: Path) -> list[ElementTree.Element] | None:
    """The tests of a results file, or None if there is no such file."""
    with contextlib.suppress(FileNotFoundError, ElementTree.ParseError):
        return list(ElementTree.parse(results).iter("testcase"))
    return None


def _asker() -> str:
    """The pytest test that is running, for a message, or nothing."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ", 1)[0]
    return f" in {test}" if test else ""
