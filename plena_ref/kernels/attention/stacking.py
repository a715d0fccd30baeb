"""Column groups of P V below each other in one accumulator, so that each tile of V is used as it comes.

Where a few rows of P meet a tile of V, most rows of the block accumulator would be idle. M_MM reads BLEN rows
from any row on: with zeros around the rows of P, starting `group` rows later for each following group of
columns puts that group's sums `group` rows higher. All column groups then share one accumulator and one
write-out, and no group has to wait for the sums of another.
"""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.machine.hardware import Hardware

#: Below so many key tiles the products that wait take less time than bringing their sums side by side.
FEWEST_TILES = 5


@dataclass(frozen=True)
class Stacking:
    """Which rows of the accumulator each column group has.

    Attributes:
        hw: the machine.
        rows: rows of P that hold weights.
        groups: column groups in each column block of the head.
    """

    hw: Hardware
    rows: int
    groups: tuple[int, ...]

    @property
    def total(self) -> int:
        """Column groups of the head."""
        return sum(self.groups)

    @property
    def fits(self) -> bool:
        """There are several, and one accumulator holds them all."""
        return self.total > 1 and self.total * self.rows <= self.hw.blen

    @property
    def lead(self) -> int:
        """Rows before those of P that the product of the first column group reads."""
        return (self.total - 1) * self.rows
