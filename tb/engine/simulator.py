"""What a simulator is to the bench: how it is found, how it compiles, how its models run, what it can do.

A simulator is one class in a file of its own beside this one, and one entry in tb/engine/registry.py;
docs/extending/simulator.md is the list of steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tb.engine.model import Model, Options
from tb.engine.tools import Tool


class Simulator(ABC):
    """One simulator.

    Attributes:
        name: what SIM= takes.
        model_file: name of the compiled file in a model's folder.
        four_state: signals can be X or Z, as IEEE 1800 has it.
        coverage: command-line options that make a model count executed lines; None if it cannot.
        random_unknowns: command-line options that build a model which draws a value for every variable
            without an initial value and every X that is assigned, from the seed of the run; None if it
            cannot.
    """

    name: ClassVar[str]
    model_file: ClassVar[str]
    four_state: ClassVar[bool]
    coverage: ClassVar[tuple[str, ...] | None] = None
    random_unknowns: ClassVar[tuple[str, ...] | None] = None

    @abstractmethod
    def find(self) -> Tool:
        """Return the installed programs and the version that keys their builds.

        Raises:
            SimulatorMissing: it is not installed; the message names the simulator and how to install it.
        """

    @abstractmethod
    def key(self, options: Options) -> list[str]:
        """What the key of a build covers besides sources, options and the tool's version: fixed arguments."""

    def inputs(self, options: Options) -> list[Path]:
        """Files of the engine that are compiled into such a model; the key of a build covers their text."""
        return []

    @abstractmethod
    def compile(self, tool: Tool, scratch: Path, files: list[Path], root: Path, options: Options) -> None:
        """Compile ``files`` (in order) to ``scratch/model_file``, and leave nothing else there.

        Args:
            tool: what :meth:`find` returned.
            scratch: an empty folder.
            files: SystemVerilog sources.
            root: tree that the include folders of the options are relative to.
            options: what is wanted.

        Raises:
            SimulationError: the compiler found an error.
        """

    @abstractmethod
    def command(self, model: Model, plusargs: Sequence[str]) -> list[str]:
        """The command line that runs a model under cocotb, in whatever folder it is started.

        A model with waves leaves ``dump.fst`` in that folder.
        """
