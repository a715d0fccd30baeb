"""A machine whose memories are staged for a program: what runs, judges and examines it must know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region
from plena_ref.machine.state import MemoryImages


class Staged(Protocol):
    """Work that is staged; the attributes are those of `workloads.base.Workload`."""

    @property
    def hardware(self) -> Hardware:
        """The machine."""

    @property
    def outputs(self) -> Sequence[Region]:
        """The words that hold the result."""

    @property
    def images(self) -> MemoryImages:
        """Memories before the run."""


class Runnable(Staged, Protocol):
    """Staged work with its program."""

    @property
    def words(self) -> Sequence[int]:
        """The program."""

    @property
    def limit(self) -> int:
        """HBM bytes that belong to data."""
