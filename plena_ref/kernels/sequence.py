"""Operators one after the other in one program."""

from __future__ import annotations

from collections.abc import Sequence

from plena_ref.kernels.operator import Operator
from plena_ref.kernels.program import Program
from plena_ref.machine.regions import Region


class OperatorSequence:
    """Operators that hand tensors on to each other; the result is the last one's.

    Args:
        title: what they do together.
        operators: in program order.
    """

    def __init__(self, title: str, operators: Sequence[Operator]) -> None:
        self.title = title
        self.operators = tuple(operators)

    def outputs(self) -> list[Region]:
        """The words of the last result."""
        return self.operators[-1].outputs()

    def scratch(self) -> list[Region]:
        """What the operators hand on, and their scratch."""
        handed_on = [region for operator in self.operators[:-1] for region in operator.outputs()]
        return handed_on + [region for operator in self.operators for region in operator.scratch()]

    def emit(self, p: Program) -> None:
        """Write their instructions."""
        for operator in self.operators:
            p.comment(operator.title)
            operator.emit(p)
