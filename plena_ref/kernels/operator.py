"""What an operator is: it writes its instructions into a program, on tensors that have their places.

The contract between the operators of one program, tested in tests/kernels/test_contract.py:

- Nothing but its operands reaches an operator: it reads no register, control register (SCALE, STRIDE,
  V_MASK), accumulator or word of scratch before it has written it.
- It takes registers from the program for `with` blocks and leaves none held, no loop open, and nothing in the
  accumulators.
- It writes its outputs and its scratch, and nothing else.
- Padding columns of VRAM operands hold finite numbers; a result has padding columns of 0, or none written.
"""

from __future__ import annotations

from typing import Protocol

from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import Program
from plena_ref.machine.regions import Region


class Operator(Protocol):
    """What an operator offers once its tensors are placed."""

    @property
    def title(self) -> str:
        """What it does, in a line."""

    def emit(self, p: Program) -> None:
        """Write its instructions."""

    def outputs(self) -> list[Region]:
        """The words of the result."""

    def scratch(self) -> list[Region]:
        """The other words that the program may write; complete once `emit` has run."""


class RowsOperator:
    """What operators share whose result is one tensor of rows in VRAM.

    Attributes:
        result: the tensor.
    """

    result: VramTensor

    def outputs(self) -> list[Region]:
        """The rows of the result, padding columns included."""
        return self.result.row_regions(0, self.result.rows)

    def scratch(self) -> list[Region]:
        """None."""
        return []
