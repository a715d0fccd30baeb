"""What an operator is: something whose tensors have their places, and that writes its instructions."""

from __future__ import annotations

from typing import Protocol

from plena_ref.machine.regions import Region


class Operator(Protocol):
    """What an operator offers once its tensors are placed."""

    def build(self) -> tuple[list[int], str]:
        """The words of the program and its listing."""

    def outputs(self) -> list[Region]:
        """The words of the result."""

    def scratch(self) -> list[Region]:
        """The other words that the program may write; complete once `build` has run."""
