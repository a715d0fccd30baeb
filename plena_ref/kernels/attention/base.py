"""What attention kernels on whole column blocks have in common: operands, title, result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, Protocol, Self, TypeVar

from plena_ref.kernels.attention.operands import AttentionOperands
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.operator import Operator
from plena_ref.kernels.program import Program
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region


class AttentionOperator(Operator, Protocol):
    """What every attention kernel offers.

    Attributes:
        needs_finite_output: O must hold finite numbers before the run.
    """

    needs_finite_output: ClassVar[bool]

    @property
    def operands(self) -> AttentionOperands:
        """Its tensors."""

    @classmethod
    def within(cls, hw: Hardware, shape: AttentionShape, room: Room) -> Self:
        """The kernel for a problem, with its tensors and its scratch taken from `room`.

        Raises:
            KernelError: the shape breaks a rule.
            LayoutError: a memory is full.
        """


#: The tensors of a kind of attention.
Operands = TypeVar("Operands", bound=AttentionOperands)


class SelfPlacing(ABC, Generic[Operands]):
    """An attention kernel that can take its tensors from a room."""

    @abstractmethod
    def __init__(self, hw: Hardware, shape: AttentionShape, operands: Operands, room: Room) -> None:
        """On the tensors of `place`; scratch comes from `room`."""

    @staticmethod
    @abstractmethod
    def place(hw: Hardware, shape: AttentionShape, room: Room) -> Operands:
        """The tensors of a problem."""

    @classmethod
    def within(cls, hw: Hardware, shape: AttentionShape, room: Room) -> Self:
        """The kernel with its tensors and its scratch taken from `room`; errors as in `AttentionOperator`."""
        operands = cls.place(hw, shape, room)
        with room.scratch():
            return cls(hw, shape, operands, room)


class AttentionBase(SelfPlacing[AttentionOperands]):
    """An attention kernel on given tensors.

    Args:
        hw: the machine.
        shape: the problem.
        operands: its tensors, from `place`.
        room: where to take scratch from.

    Attributes:
        form: which kind of attention it is, for titles.
        needs_finite_output: as in `AttentionOperator`.
    """

    form: ClassVar[str] = "attention"
    needs_finite_output: ClassVar[bool]
    shape: AttentionShape
    operands: AttentionOperands

    @abstractmethod
    def __init__(self, hw: Hardware, shape: AttentionShape, operands: AttentionOperands, room: Room) -> None:
        """Take scratch from `room`."""

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

    @abstractmethod
    def emit(self, p: Program) -> None:
        """Write its instructions."""

    @abstractmethod
    def scratch(self) -> list[Region]:
        """Every other word that the program may write; complete once `emit` has run."""
