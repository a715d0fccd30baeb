"""Programs outside of this project: what is found, how it is called, and the errors that name what failed."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tb.engine import environment, processes


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


def execute(command: Sequence[str], what: str, more: Mapping[str, str], folder: Path) -> None:
    """Run one step of a build in ``folder``; ``more`` are further variables of its environment.

    Compilers keep their temporary files there too: when they are killed these go with the folder.

    Raises:
        SimulationError: it ended with another exit status than 0; the message begins with ``what``.
    """
    status, printed = processes.captured(
        command, folder, environment.made({"TMPDIR": str(folder.resolve()), **more})
    )
    if status != 0:
        raise SimulationError("\n".join([f"{what} failed (exit {status}):", *printed.splitlines()[-60:]]))


def finished(
    command: Sequence[str], folder: Path | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end in a folder; it cannot ask for anything.

    Raises:
        subprocess.TimeoutExpired: it took more than `timeout` seconds.
    """
    environ, nothing = environment.made(), subprocess.DEVNULL
    return subprocess.run(
        command, cwd=folder, env=environ, stdin=nothing, capture_output=True, text=True, timeout=timeout
    )


def asked(command: Sequence[str]) -> str:
    """What a program prints when it is asked about itself (its version, for example).

    Raises:
        SimulationError: it failed; the message holds what it said.
    """
    result = finished(command)
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip() or f"exit status {result.returncode}"
        raise SimulationError(f"`{' '.join(command)}` failed: {said}")
    return result.stdout


@functools.cache
def python_library() -> str:
    """The shared library of this Python, which cocotb loads into a simulation.

    Raises:
        SimulationError: there is none.
    """
    # Here: who only asks for the reference machine need not have it.
    import find_libpython

    library: str | None = find_libpython.find_libpython()
    if library is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SimulationError(
            f"{sys.executable} has no shared library, which cocotb needs: run `apt-get install "
            f"libpython{version}` as root, or take another python with make PYTHON=/path/to/python"
        )
    return library


@functools.cache
def cocotb_library() -> str:
    """Place and version of the installed cocotb, which models are linked with.

    Raises:
        SimulationError: it is not installed, or has no library of Python to run with.
    """
    python_library()
    package = importlib.util.find_spec("cocotb")
    if package is None or package.origin is None:
        raise SimulationError("cocotb is not installed: run `pip install -r constraints.txt`")
    folder = Path(package.origin).parent
    # An environment of links has the libraries that they lead to.
    return f"{folder.readlink() if folder.is_symlink() else folder} {importlib.metadata.version('cocotb')}"
