"""GELU: the activation of feed-forward blocks of vision encoders, exact or with tanh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plena_ref.analysis.gelu_formula import FORMULAS, GeluFormula
from plena_ref.analysis.gelu_roundings import GeluRoundings
from plena_ref.analysis.roundings import as_heads
from plena_ref.kernels.gelu import COEFFICIENTS, LIMIT, LOWEST, GeluKernel
from plena_ref.kernels.layout.room import Room
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict import gelu_bound
from plena_ref.workloads.base import Answer, Placed
from plena_ref.workloads.elementwise_problem import ElementwiseProblem

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
class Gelu(ElementwiseProblem[GeluKernel]):
    """Y = X * normal_share(X), or its approximation with tanh.

    Every element is judged by its own interval: the errors that formula and roundings can make.
    """

    kernels: ClassVar = dict.fromkeys(FORMULAS, GeluKernel)
    operands: ClassVar = ("x",)

    def roundings(self, case: Case) -> GeluRoundings:
        """The model of the roundings on the case's data."""
        (x,) = self.values(case)
        return GeluRoundings(x, case.kernel)

    def place(self, case: Case, room: Room) -> Placed[GeluKernel]:
        """X, Y and the constants."""
        formula = FORMULAS[case.kernel]
        x, y = self.packed(room, "X", "Y")
        constants = room.fp_mem.take("the constants of GELU", constants_of(formula))
        with room.scratch():
            terms = len(formula.coefficients)
            kernel = GeluKernel(case.hardware, x.parent, y.parent, terms, constants, room)
        return Placed.as_head(kernel, y)

    def stage(self, case: Case, placed: Placed[GeluKernel], images: MemoryImages) -> Answer:
        """X in VRAM, and the constants."""
        formula, model = FORMULAS[case.kernel], self.roundings(case)
        self.stage_operands(case, (placed.operator.x,), images)
        stage_constants(placed.operator, formula, images)
        bounds = gelu_bound.interval(as_heads(model.x), formula.coefficients, formula.limit, formula.error)
        return Answer(model.exact, bounds)
