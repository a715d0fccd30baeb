"""The environment of every simulator and compiler: made here from a list of names, never inherited.

What counts for a build or a run is the command line. A variable that is not named below reaches no process
that the engine starts; docs/influences.md shows it for each that once did.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

#: What a program needs of its host: where programs, their libraries, and folders for files are.
HOST = ("PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR")
#: Set for every program: messages that do not depend on the host's language, files in UTF-8.
FIXED = {"LC_ALL": "C.UTF-8"}
#: Settings of test runs (docs/bench.md): commands that people type forget them.
SETTINGS = ("SIM", "SIM_TIMEOUT", "X_SEED")


def made(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a program: that of the host, what is fixed, and `more`, which wins."""
    host = {name: os.environ[name] for name in HOST if name in os.environ}
    return {**host, **FIXED, **(more or {})}


def forget_settings() -> None:
    """Take the settings of test runs out of this process's environment."""
    for name in SETTINGS:
        os.environ.pop(name, None)
