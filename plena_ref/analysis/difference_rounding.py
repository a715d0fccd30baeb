"""Roundings of x - y where x and y are bf16 already, of many x and one y: part of the error is common to all.

Numbers of bf16 lie on grids: x on multiples of u(x), y on those of u(y), and the difference is rounded to
multiples of u(x - y). What y is off those grids is the same for every x, and so is what rounding makes of it.
Derived in docs/accuracy.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from plena_ref.analysis.roundings import F64, bf16_step, variance


@dataclass(frozen=True)
class DifferenceRounding:
    """Variances of the errors of x - y.

    Attributes:
        own: of the part that each x has for itself.
        common: of the part that all x share that have the same `grid`.
        grid: what y is rounded to multiples of.
    """

    own: F64
    common: F64
    grid: F64

    def shared_errors(self) -> Iterator[F64]:
        """The standard deviation of each common error, 0 where an x does not have it."""
        for grid in np.unique(self.grid[self.common > 0]):
            yield np.sqrt(self.common) * (self.grid == grid)


def difference_rounding(x: F64, y: F64) -> DifferenceRounding:
    """The variances, from the values before x and y were rounded to bf16.

    An error that is uniform over the multiples of g in a step u has variance (u^2 + 2 g^2)/12, ties included;
    without them, as their direction depends on x, (u - g)(u - 2g)/12. No error is made where x - y is a bf16
    value.

    Args:
        x: ... x n.
        y: ... x 1, the same for n numbers of x.
    """
    step, grid_x, grid_y = bf16_step(x - y), bf16_step(x), bf16_step(y)
    rounded = variance(x - y) > 0
    shared = np.minimum(grid_x, step)
    finest = np.minimum(grid_x, grid_y)
    whole = np.where(rounded & (finest < step), (step**2 + 2 * finest**2) / 12, 0)
    common = np.where(rounded & (grid_y < shared), (shared - grid_y) * (shared - 2 * grid_y) / 12, 0)
    return DifferenceRounding(whole - common, common, shared)
