"""Programs outside of this project: what is found, how it is called, and the errors that name what failed."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class SimulationError(RuntimeError):
    """A build or a run failed; the message says which and shows the tail of its log."""


class NotBuilt(SimulationError):
    """The model is not in the cache, and was not to be compiled."""


class SimulatorMissing(SimulationError):
    """The simulator is not installed; the message says how to install it."""


@dataclass(frozen=True)
class Tool:
    """One usable simulator: its name, its compiler's command line, and the version that keys its builds."""

    name: str
    command: tuple[str, ...]
    version: str
    environment: tuple[tuple[str, str], ...] = ()


def need(simulator: str, programs: Sequence[str], packages: Sequence[str]) -> None:
    """Check that the programs which a simulator calls are installed.

    Raises:
        SimulatorMissing: one is not; the message names the Debian packages that hold all of them.
    """
    for program in programs:
        if shutil.which(program) is None:
            raise SimulatorMissing(
                f"simulator '{simulator}' is not installed: run `apt-get install {' '.join(packages)}` "
                f"as root (there is no {program})"
            )


def execute(command: Sequence[str], what: str, environment: Mapping[str, str], folder: Path) -> None:
    """Run one step of a build in ``folder``, with more environment variables.

    Raises:
        SimulationError: it ended with another exit status than 0; the message begins with ``what``.
    """
    result = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        tail = "\n".join(result.stdout.splitlines()[-60:])
        raise SimulationError(f"{what} failed (exit {result.returncode}):\n{tail}")


@functools.cache
def cocotb_library() -> str:
    """Place and version of the installed cocotb, which models are linked with.

    Raises:
        SimulationError: it is not installed.
    """
    package = importlib.util.find_spec("cocotb")
    if package is None or package.origin is None:
        raise SimulationError("cocotb is not installed: run `pip install -r requirements.txt`")
    return f"{Path(package.origin).parent} {importlib.metadata.version('cocotb')}"
