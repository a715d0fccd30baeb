"""A bench that is SystemVerilog alone: compiled with Icarus and run once, without cocotb and the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tb.engine import scratch
from tb.engine.paths import BUILD, REPO, include_flags
from tb.engine.simulate import SimulationError, find_tool
from tb.engine.tools import finished

#: Seconds that a bench may compile, or run.
TIME_LIMIT = 120


@dataclass(frozen=True)
class Ran:
    """How a bench ended.

    Attributes:
        compiled: it compiled without an error.
        status: exit status of the compiler, or of the run where there was one.
        text: what both printed.
    """

    compiled: bool
    status: int
    text: str

    @property
    def printed(self) -> str:
        """What both printed, where the bench compiled and ran to its end.

        Raises:
            SimulationError: it did not.
        """
        if not self.compiled or self.status != 0:
            what = "ran" if self.compiled else "compiled"
            raise SimulationError(f"the bench {what} with exit status {self.status}:\n{self.text}")
        return self.text


def run(top: str, sources: Sequence[str | Path], *options: str, root: Path = REPO, **parameters: int) -> Ran:
    """Compile a bench and run it; it sees what RTL includes.

    Args:
        top: its top module.
        sources: its files, relative to `root` or absolute.
        options: more arguments of the compiler.
        root: the tree.
        parameters: of the top module.

    Raises:
        SimulatorMissing: Icarus is not installed.
        subprocess.TimeoutExpired: it took more than `TIME_LIMIT` seconds.
    """
    command = [*find_tool("icarus").command, "-g2012", *options, "-s", top, *include_flags()]
    command += [f"-P{top}.{name}={value}" for name, value in parameters.items()]
    with scratch.folder(BUILD / "runs" / "unit", top) as folder:
        model = f"{folder}/model.vvp"
        compiled = finished([*command, "-o", model, *map(str, sources)], root, TIME_LIMIT)
        said = compiled.stdout + compiled.stderr
        if compiled.returncode != 0:
            return Ran(False, compiled.returncode, said)
        ran = finished(["vvp", "-n", model], root, TIME_LIMIT)
        return Ran(True, ran.returncode, said + ran.stdout + ran.stderr)
