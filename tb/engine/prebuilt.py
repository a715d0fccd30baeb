"""cocotb-test's simulator class without its compile step, which the cache of models replaces.

It sets the environment up and collects the results; it would compile on every call.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from cocotb_test.simulator import Simulator


class Prebuilt(Simulator):
    """A run of a model that is already compiled.

    Args:
        command: the command line that runs it.
        log: file that takes its output; its folder is the working directory.
        timeout: wall-clock seconds after which it is killed.
        arguments: those of cocotb-test's class.
    """

    def __init__(self, command: list[str], log: Path, timeout: float, **arguments: object) -> None:
        super().__init__(**arguments)
        self._command, self._log, self._timeout = command, log, timeout

    def build_command(self) -> list[list[str]]:
        """The one command: nothing to compile."""
        return [self._command]

    def execute(self, cmds: list[list[str]]) -> None:
        """Run the command.

        Raises:
            SystemExit: it failed or its time was up; the message says which, and in which test.
        """
        with self._log.open("wb") as output:
            process = subprocess.Popen(
                cmds[0], cwd=self._log.parent, env=self.env, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            status = process.wait(self._timeout)
        except BaseException as interruption:
            process.kill()
            process.wait()
            if isinstance(interruption, subprocess.TimeoutExpired):
                raise SystemExit(f"simulation killed after {self._timeout:.0f} seconds{_asker()}") from None
            raise
        if status != 0:
            raise SystemExit(f"simulation ended with exit status {status}")


def _asker() -> str:
    """The pytest test that is running, for a message, or nothing."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ", 1)[0]
    return f" in {test}" if test else ""
