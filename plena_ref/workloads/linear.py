"""A linear layer: activations in VRAM, MXFP8 weights streamed from HBM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.linear_roundings import BiasedLinearRoundings, linear_rounding
from plena_ref.analysis.roundings import Roundings
from plena_ref.golden.linear import linear
from plena_ref.golden.mxfp8 import quantised_rows
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.linear import LinearKernel, LinearShape, place_panels
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.rounding_count import product_error, sum_error
from plena_ref.workloads.base import F64, Answer, Placed, Problem
from plena_ref.workloads.placement import stage_panels, stage_rows

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


@dataclass(frozen=True)
class Linear(Problem[LinearKernel]):
    """Y = X W, or Y = X W + b.

    X and b are N(0, 1) * sigma, W that over sqrt(in_features), quantised to MXFP8. The result counts as one
    head. Every element is judged by its own interval: the errors that its roundings can make.

    Attributes:
        in_features, out_features: W is in_features x out_features.
        batch, seq: X has batch * seq rows.
        bias: whether there is a b.
    """

    in_features: int
    out_features: int
    batch: int = 1
    seq: int = 4
    bias: bool = False

    kernels: ClassVar = {"linear": LinearKernel}

    @property
    def shape(self) -> LinearShape:
        """The problem as the kernel sees it."""
        return LinearShape(self.batch, self.seq, self.in_features, self.out_features)

    def describe(self) -> str:
        """The problem in a line, for people."""
        bias = " and a bias" if self.bias else ""
        return f"batch {self.batch}, seq {self.seq}, {self.in_features} to {self.out_features} features{bias}"

    def check(self, case: Case) -> None:
        """Refuse what the kernel does not do (`KernelError`)."""
        self.shape.check(case.hardware)

    def draw(self, case: Case) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16]]:
        """X, a row a position of each batch, W and b (1 x out_features); all raw bf16."""
        rng = np.random.default_rng(case.seed)
        x = bf16_from_float(rng.standard_normal((self.batch * self.seq, self.in_features)) * case.sigma)
        spread = case.sigma / np.sqrt(self.in_features)
        w = bf16_from_float(rng.standard_normal((self.in_features, self.out_features)) * spread)
        return x, w, bf16_from_float(rng.standard_normal((1, self.out_features)) * case.sigma)

    def roundings(self, case: Case) -> Roundings:
        """The model of the roundings on the case's data."""
        x, w, bias = (bf16_to_f32(bits).astype(np.float64) for bits in self.draw(case))
        rows = x.reshape(self.batch, self.seq, -1)
        read = quantised_rows(w, case.hardware.hbm_format("m", 0))
        return BiasedLinearRoundings(rows, read, bias[0]) if self.bias else linear_rounding(rows, read)

    def place(self, case: Case, room: Room) -> Placed[LinearKernel]:
        """X, the panels of W, Y, and the bias."""
        x = room.vram.packed("X", self.batch, self.seq, self.in_features)
        y = room.vram.packed("Y", self.batch, self.seq, self.out_features)
        w = place_panels(case.hardware, self.shape, room)
        bias = room.vram.tensor("bias", 1, self.out_features) if self.bias else None
        return Placed.as_head(LinearKernel(case.hardware, self.shape, x, w, y, bias), y)

    def stage(self, case: Case, placed: Placed[LinearKernel], images: MemoryImages) -> Answer:
        """X and the bias in VRAM, W in HBM."""
        hw, kernel = case.hardware, placed.operator
        x, w, bias = self.draw(case)
        stage_rows(kernel.x.parent, images.vram, x, round_up(len(x), hw.blen))
        read = stage_panels(kernel.w, images.hbm, w, kernel.together)
        values = bf16_to_f32(x).astype(np.float64)
        exact, bound = linear(values, read), product_error(values, read)
        if kernel.bias is not None:
            stage_rows(kernel.bias, images.vram, bias, 1)
            exact = linear(values, read, bf16_to_f32(bias).astype(np.float64))
            bound = sum_error(exact, bound)
        return Answer.within(self._as_head(exact), self._as_head(bound))

    def _as_head(self, rows: F64) -> F64:
        """Rows of results as batch x seq x 1 x out_features."""
        return rows.reshape(self.batch, self.seq, 1, self.out_features)
