"""Padding columns of 0: the last column block of a tensor, cleared before products fill part of it."""

from __future__ import annotations

from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.program import Program, Register
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region


def clear_last_block(p: Program, tensor: VramTensor, moved: Register | None = None) -> None:
    """The last column block of every row becomes 0.

    Args:
        p: the program.
        tensor: what is cleared.
        moved: register with the address of any row, whose elements are shifted out; None: the row itself.
    """
    mlen = tensor.mlen
    with p.gp("row") as row, p.gp("shift distance") as distance:
        p.point(row, tensor, 0, (tensor.column_blocks - 1) * mlen)
        p.load_constant(distance, mlen)
        with p.repeat(tensor.rows, f"padding columns of {tensor.name} are 0"):
            p.V_SHFT_V(row, row if moved is None else moved, distance)
            p.add(row, row, mlen)


class ClearPadding:
    """The operator that clears the last column block of a tensor.

    Args:
        hw: the machine.
        tensor: what is cleared.
    """

    def __init__(self, hw: Hardware, tensor: VramTensor) -> None:
        self.hw = hw
        self.tensor = tensor

    @property
    def title(self) -> str:
        """What it does."""
        return f"padding columns of {self.tensor.name}"

    def outputs(self) -> list[Region]:
        """The last column block."""
        return [self.tensor.row_regions(0, self.tensor.rows)[-1]]

    def scratch(self) -> list[Region]:
        """None."""
        return []

    def emit(self, p: Program) -> None:
        """Write its instructions."""
        clear_last_block(p, self.tensor)
