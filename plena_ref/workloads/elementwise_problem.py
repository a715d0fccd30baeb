"""Problems that work element by element on tensors of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.machine.state import MemoryImages
from plena_ref.workloads.base import F64, Writer
from plena_ref.workloads.placement import stage_rows
from plena_ref.workloads.rows_problem import RowsProblem

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


@dataclass(frozen=True)
class ElementwiseProblem(RowsProblem[Writer]):
    """An element of each operand makes one of the result, which counts as one head.

    Class attributes:
        operands: names of the operands, by which kinds of data tell them apart.

    Attributes:
        features: of a row.
        batch, seq: each operand has batch * seq rows.
    """

    operands: ClassVar[tuple[str, ...]]

    def draw(self, case: Case) -> tuple[NDArray[np.uint16], ...]:
        """The operands, each batch*seq x features, raw bf16."""
        rng = np.random.default_rng(case.seed)
        return tuple(self.drawn(case, rng, name) for name in self.operands)

    def values(self, case: Case) -> list[F64]:
        """The operands as numbers, each batch x seq x features."""
        return [self.numbers(rows) for rows in self.draw(case)]

    def stage_operands(self, case: Case, tensors: Sequence[VramTensor], images: MemoryImages) -> None:
        """Every operand in its tensor, padding columns 0."""
        for tensor, rows in zip(tensors, self.draw(case), strict=True):
            stage_rows(tensor, images.vram, rows, len(rows))
