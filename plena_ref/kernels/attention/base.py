"""What attention kernels on whole column blocks have in common: operands, title, result."""

from __future__ import annotations

from typing import ClassVar

from plena_ref.kernels.attention.operands import AttentionOperands
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.layout.room import Room
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region


class AttentionBase:
    """An attention kernel on given tensors.

    Args:
        hw: the machine.
        shape: the problem.
        operands: its tensors, from `place`.
        room: where to take scratch from.

    Attributes:
        form: which kind of attention it is, for titles.
    """

    form: ClassVar[str] = "attention"
    shape: AttentionShape
    operands: AttentionOperands

    @staticmethod
    def place(hw: Hardware, shape: AttentionShape, room: Room) -> AttentionOperands:
        """Q, K, V and O, every head padded to whole column blocks."""
        return AttentionOperands.place(hw, shape, room)

    @property
    def title(self) -> str:
        """What it does."""
        return f"{self.form}: {self.shape}"

    def outputs(self) -> list[Region]:
        """The words of O that the program writes."""
        return self.operands.o.active_regions()
