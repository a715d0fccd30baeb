"""Staging of encoder layers: weights as they lie in HBM.

Matrices of `EncoderWeights` are outputs x inputs. What the machine reads of them is returned in the same
form, so that a golden starts from the same numbers, wherever the program looks for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.language_model import Real
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.workloads.placement import stage_panels

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One matrix among the columns of a placed one: heads, or features, each padded to whole column blocks.

    Attributes:
        weights: (groups*size) x inputs.
        size, columns: outputs of a group, and columns from group to group.
    """

    weights: Real
    size: int
    columns: int

    def spread(self) -> F32:
        """inputs x (groups*columns), zeros in the padding."""
        groups, inputs = len(self.weights) // self.size, self.weights.shape[1]
        spread = np.zeros((groups, self.columns, inputs), np.float32)
        spread[:, : self.size] = self.weights.reshape(groups, self.size, inputs)
        return spread.reshape(groups * self.columns, inputs).T

    def gathered(self, spread: F64) -> F64:
        """The opposite of `spread`."""
        grouped = spread.T.reshape(-1, self.columns, spread.shape[0])
        return grouped[:, : self.size].reshape(-1, spread.shape[0])


def stage_parts(
    parts: list[Part], panels: list[HbmTensor], together: int, hbm: NDArray[np.uint8]
) -> list[F64]:
    """Matrices side by side into the panels of one; returns what the machine reads of each.

    `together`: neighbouring columns that lie side by side in a tile (`kernels.linear`).
    """
    spread = [part.spread() for part in parts]
    matrix = bf16_from_float(np.concatenate(spread, axis=1).astype(np.float64))
    read = stage_panels(panels, hbm, matrix, together)
    ends = np.cumsum([one.shape[1] for one in spread])[:-1]
    return [part.gathered(columns) for part, columns in zip(parts, np.split(read, ends, axis=1), strict=True)]


def rows_with_padding(weights: Real, size: int, columns: int) -> F32:
    """outputs x (groups*size) as outputs x (groups*columns): inputs with the padding of heads."""
    outputs = len(weights)
    spread = np.zeros((outputs, weights.shape[1] // size, columns), np.float32)
    spread[:, :, :size] = weights.reshape(outputs, -1, size)
    return spread.reshape(outputs, -1)
