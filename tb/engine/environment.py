"""The environment of every process that is started: made here from a list of names, never inherited.

What counts for a build or a run is the command line. A variable that is not named below reaches no process
that the engine starts, and none of this project's commands that another one starts; docs/influences.md shows
it for each that once did.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

#: What a program needs of its host: where programs, their libraries, and folders for files are.
HOST = ("PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR")
#: Set for every program: messages that do not depend on the host's language, files in UTF-8.
FIXED = {"LC_ALL": "C.UTF-8"}
#: What a command of this project takes besides: where it builds, and how it prints.
COMMAND = ("PLENA_BUILD", "XDG_CACHE_HOME", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "COLUMNS", "NO_COLOR")
#: What says how much the tests do (docs/bench.md, docs/extending).
TESTS = ("CI", "PLENA_FUZZ", "PLENA_EXTENDING")
#: Settings of test runs (docs/bench.md): commands that people type forget them.
SETTINGS = ("SIM", "SIM_TIMEOUT", "X_SEED")


def made(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program: that of the host, what is fixed, and `more`, which wins."""
    return {**_kept(HOST), **FIXED, **(more or {})}


def of_command(root: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of one of this project's commands, whose modules lie in `root`; `more` wins."""
    return {**_kept((*HOST, *COMMAND)), "PYTHONPATH": str(root), **(more or {})}


def of_tests(root: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """As :func:`of_command`, for pytest."""
    return of_command(root, {**_kept(TESTS), **(more or {})})


def _kept(names: Iterable[str]) -> dict[str, str]:
    """The variables of this process's own environment that have these names."""
    return {name: os.environ[name] for name in names if name in os.environ}


def forget_settings() -> None:
    """Take the settings of test runs out of this process's environment."""
    for name in SETTINGS:
        os.environ.pop(name, None)
