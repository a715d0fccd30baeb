"""GELU: the activation of feed-forward blocks of vision encoders, exact or with tanh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.gelu_formula import FORMULAS, GeluFormula
from plena_ref.analysis.gelu_roundings import GeluRoundings
from plena_ref.kernels.gelu import COEFFICIENTS, LIMIT, LOWEST, GeluKernel
from plena_ref.kernels.layout.room import Room
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict import gelu_bound
from plena_ref.workloads.base import Answer, Placed
from plena_ref.workloads.placement import stage_rows
from plena_ref.workloads.rows_problem import ACTIVATIONS, RowsProblem

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case

#: The lowest finite bf16 number.
LOWEST_FINITE = -(2.0**128 - 2.0**120)


def constants_of(formula: GeluFormula) -> int:
    """FP_MEM words that a GELU needs."""
    return COEFFICIENTS + len(formula.coefficients)


def stage_constants(kernel: GeluKernel, formula: GeluFormula, images: MemoryImages) -> None:
    """The words of FP_MEM that make a form of GELU."""
    constants = {LOWEST: LOWEST_FINITE, LIMIT: formula.limit}
    constants |= {COEFFICIENTS + i: -c for i, c in enumerate(formula.coefficients)}
    for word, value in constants.items():
        images.fpmem[kernel.constants + word] = bf16_from_float(np.float64(value))


@dataclass(frozen=True)
class Gelu(RowsProblem):
    """Y = X * normal_share(X), or its approximation with tanh. The result counts as one head.

    Every element is judged by its own interval: the errors that formula and roundings can make.

    Attributes:
        features: of a row.
        batch, seq: X has batch * seq rows.
    """

    kernels: ClassVar = dict.fromkeys(FORMULAS, GeluKernel)

    def draw(self, case: Case) -> NDArray[np.uint16]:
        """X, a row a position of each batch; raw bf16."""
        rng = np.random.default_rng(case.seed)
        shape = (self.batch * self.seq, self.features)
        return bf16_from_float(ACTIVATIONS[case.data](rng, shape, case.sigma, "x"))

    def roundings(self, case: Case) -> GeluRoundings:
        """The model of the roundings on the case's data."""
        x = bf16_to_f32(self.draw(case)).astype(np.float64)
        return GeluRoundings(x.reshape(self.batch, self.seq, -1), case.kernel)

    def place(self, case: Case, room: Room) -> Placed:
        """X, Y and the constants."""
        formula = FORMULAS[case.kernel]
        x, y = (room.vram.packed(name, self.batch, self.seq, self.features) for name in "XY")
        constants = room.fp_mem.take("the constants of GELU", constants_of(formula))
        with room.scratch():
            terms = len(formula.coefficients)
            kernel = GeluKernel(case.hardware, x.parent, y.parent, terms, constants, room)
        return Placed(kernel, y, y.parent.physical_cols)

    def stage(self, case: Case, placed: Placed, images: MemoryImages) -> Answer:
        """X in VRAM, padding columns 0, and the constants."""
        rows, formula = self.draw(case), FORMULAS[case.kernel]
        stage_rows(placed.operator.x, images.vram, rows, len(rows))
        stage_constants(placed.operator, formula, images)
        model = self.roundings(case)
        bounds = gelu_bound.interval(
            model.x[:, :, None, :], formula.coefficients, formula.limit, formula.error
        )
        return Answer(model.exact, bounds)
