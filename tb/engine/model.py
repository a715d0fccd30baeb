"""What is asked of a compiler, and what it leaves: the options of a build, and the compiled simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Everything but the sources that a build depends on; the fields are described at `simulate.build`."""

    top: str
    parameters: Mapping[str, int]
    includes: tuple[str, ...]
    defines: Mapping[str, int | str]
    public: tuple[str, ...]
    timing: bool
    waves: bool
    extra: tuple[str, ...]
    quick: bool = False

    @property
    def name(self) -> str:
        """Top, parameters and switches in a line; builds of the same name take about as long."""
        words = [f"{name}={value}" for name, value in self.parameters.items()]
        return " ".join([self.top, *words, *(["waves"] if self.waves else []), *self.extra])


@dataclass(frozen=True)
class Model:
    """A compiled simulation.

    Attributes:
        simulator: name of the simulator that it was compiled with.
        top: name of the top module.
        executable: the file that the simulator's `Simulator.command` runs.
        parameters: values of the top module's parameters.
        build_seconds: time of the build, 0.0 if it was cached.
        waves: runs leave a wave file.
        x_seed: seed of the values that stand for unknown ones, or None where nothing is drawn.
    """

    simulator: str
    top: str
    executable: Path
    parameters: Mapping[str, int]
    build_seconds: float
    waves: bool
    x_seed: int | None = None
