"""rotate_half of rows in VRAM: [lower, upper] half of every head to [-upper, lower].

Where half a head is whole column blocks, it is a matter of addresses. Elsewhere columns must move within
rows, for which the machine has the array alone: a product with a matrix of 0, 1 and -1, which MXFP8 holds
exactly. Every sum has one term other than 0, so it is exact too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class HeadColumns:
    """Where the columns of heads lie that are side by side in VRAM.

    Attributes:
        head_dim: columns of a head, even.
        head_cols: from the first column of a head to that of the next, at least head_dim; a divisor or a
            multiple of MLEN.
        mlen: row length of the machine, elements.
    """

    head_dim: int
    head_cols: int
    mlen: int

    @property
    def period(self) -> int:
        """Columns of a group: one head with its padding, or the heads that share a row."""
        return max(self.head_cols, self.mlen)

    @property
    def blocks(self) -> int:
        """Column blocks of a group."""
        return self.period // self.mlen

    @property
    def moves_blocks(self) -> bool:
        """Whether half a head is whole column blocks."""
        return self.head_cols == self.head_dim and self.head_dim % (2 * self.mlen) == 0

    def groups(self, heads: int) -> int:
        """Groups that `heads` heads take."""
        return -(-heads * self.head_cols // self.period)

    @cached_property
    def angle_numbers(self) -> NDArray[np.int64]:
        """For each column of a group, which of the head_dim/2 angles it turns by; -1 is padding."""
        column = np.arange(self.period) % self.head_cols
        return np.where(column < self.head_dim, column % (self.head_dim // 2), -1)

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """period x period: a row of a group times this is its rotate_half."""
        half = self.head_dim // 2
        matrix = np.zeros((self.period, self.period))
        for first in range(0, self.period, self.head_cols):
            lower = np.arange(first, first + half)
            matrix[lower + half, lower] = -1.0
            matrix[lower, lower + half] = 1.0
        return matrix

    @cached_property
    def tiles(self) -> tuple[tuple[int, int], ...]:
        """(row, column) of the MLEN x MLEN tiles of `matrix` that hold anything; none where blocks move."""
        if self.moves_blocks:
            return ()
        edge = range(self.blocks)
        return tuple((i, j) for j in edge for i in edge if self.tile(i, j).any())

    def tile(self, i: int, j: int) -> NDArray[np.float64]:
        """Tile (i, j) of `matrix`."""
        n = self.mlen
        return self.matrix[i * n : (i + 1) * n, j * n : (j + 1) * n]
