"""A linear layer: activations in VRAM, MXFP8 weights streamed from HBM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.linear_roundings import linear_rounding
from plena_ref.analysis.roundings import ResultRounding
from plena_ref.golden.linear import linear
from plena_ref.golden.mxfp8 import quantised_rows
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.linear import LinearKernel, LinearShape, place_panels
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.state import MemoryImages
from plena_ref.workloads.base import Answer, Placed, Problem
from plena_ref.workloads.placement import stage_panels, stage_rows

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


@dataclass(frozen=True)
class Linear(Problem):
    """Y = X W, without bias.

    X is N(0, 1) * sigma, W that over sqrt(in_features), quantised to MXFP8. The result counts as one head.

    Attributes:
        in_features, out_features: W is in_features x out_features.
        batch, seq: X has batch * seq rows.
    """

    in_features: int
    out_features: int
    batch: int = 1
    seq: int = 4

    kernels: ClassVar = {"linear": LinearKernel}

    @property
    def shape(self) -> LinearShape:
        """The problem as the kernel sees it."""
        return LinearShape(self.batch, self.seq, self.in_features, self.out_features)

    def describe(self) -> str:
        """The problem in a line, for people."""
        return f"batch {self.batch}, seq {self.seq}, {self.in_features} to {self.out_features} features"

    def check(self, case: Case) -> None:
        """Refuse what the kernel does not do.

        Raises:
            KernelError: names the rule.
        """
        self.shape.check(case.hardware)

    def draw(self, case: Case) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """X, a row a position of each batch, and W; both raw bf16."""
        rng = np.random.default_rng(case.seed)
        x = bf16_from_float(rng.standard_normal((self.batch * self.seq, self.in_features)) * case.sigma)
        spread = case.sigma / np.sqrt(self.in_features)
        return x, bf16_from_float(rng.standard_normal((self.in_features, self.out_features)) * spread)

    def roundings(self, case: Case) -> ResultRounding:
        """The one rounding, at the write-out, on the case's data."""
        x, w = (bf16_to_f32(bits).astype(np.float64) for bits in self.draw(case))
        rows = x.reshape(self.batch, self.seq, -1)
        return linear_rounding(rows, quantised_rows(w, case.hardware.mx_block))

    def place(self, case: Case, room: Room) -> Placed:
        """X, the panels of W, and Y."""
        x = room.vram.packed("X", self.batch, self.seq, self.in_features)
        y = room.vram.packed("Y", self.batch, self.seq, self.out_features)
        w = place_panels(case.hardware, self.shape, room)
        return Placed(LinearKernel(case.hardware, self.shape, x, w, y), y, y.parent.physical_cols)

    def stage(self, case: Case, placed: Placed, images: MemoryImages) -> Answer:
        """X in VRAM, W in HBM."""
        hw, kernel = case.hardware, placed.operator
        x, w = self.draw(case)
        stage_rows(kernel.x.parent, images.vram, x, round_up(len(x), hw.blen))
        read = stage_panels(kernel.w, images.hbm, w)
        exact = linear(bf16_to_f32(x).astype(np.float64), read)
        return Answer(exact.reshape(self.batch, self.seq, 1, self.out_features))
