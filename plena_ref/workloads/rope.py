"""RoPE: the heads of queries or keys turned by the angles of their positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.rope_roundings import RopeRoundings
from plena_ref.golden.rope import angles
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.rope import RopeKernel, RopeShape, RopeTables, place_tables
from plena_ref.kernels.rotate_half import HeadColumns
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.rules import RuleError
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.rounding_count import relative_error, sum_error
from plena_ref.workloads.base import F64, Answer, Placed, Problem
from plena_ref.workloads.placement import stage_panels, stage_rows
from plena_ref.workloads.rows_problem import ACTIVATIONS

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case

#: Roundings of a product: the table, and the product itself.
PRODUCT_ROUNDINGS = 2


def stage_tables(
    columns: HeadColumns, tables: RopeTables, start: int, theta: float, images: MemoryImages
) -> None:
    """cos and sin of positions start and up in VRAM, and the tiles of rotate_half in HBM.

    Args:
        columns: of the heads that are turned.
        tables: a row a position.
        start, theta: as for `golden.rope.angles`.
        images: where they are written.
    """
    angle = angles(start, tables.cos.rows, columns.head_dim, theta)
    numbers = columns.angle_numbers
    for tensor, function in ((tables.cos, np.cos), (tables.sin, np.sin)):
        values = np.where(numbers < 0, 0.0, function(angle)[:, numbers])
        stage_rows(tensor, images.vram, bf16_from_float(values), tensor.rows)
    if tables.rotation is not None:
        tiles = np.concatenate([columns.tile(*which) for which in columns.tiles])
        stage_panels([tables.rotation], images.hbm, bf16_from_float(tiles))


def rope_error(model: RopeRoundings) -> F64:
    """The largest error of each element."""
    return sum_error(model.exact, relative_error(PRODUCT_ROUNDINGS) * model.size())


@dataclass(frozen=True)
class Rope(Problem[RopeKernel]):
    """Y = X*cos + rotate_half(X)*sin, row r of a batch at position start + r.

    Every element is judged by its own interval: the errors that tables, products and sum can make.

    Attributes:
        heads, head_dim: heads side by side, each padded to whole blocks of MLEN columns.
        batch, seq: there are batch * seq rows.
        start: position of the first row of every batch.
        theta: base of the frequencies.
        packed_heads: heads lie HLEN columns apart instead, as packed attention reads them.
        in_place: Y is X, with batches packed; else it is another tensor, in slabs.
    """

    heads: int
    head_dim: int
    batch: int = 1
    seq: int = 4
    start: int = 0
    theta: float = 1e5
    packed_heads: bool = False
    in_place: bool = False

    kernels: ClassVar = {"rope": RopeKernel}
    data_kinds: ClassVar = tuple(ACTIVATIONS)

    def describe(self) -> str:
        """The problem in a line, for people."""
        return (
            f"batch {self.batch}, positions {self.start} to {self.start + self.seq - 1}, heads {self.heads}, "
            f"head_dim {self.head_dim}, theta {self.theta:g}{', in place' if self.in_place else ''}"
        )

    def shape(self, hw: Hardware) -> RopeShape:
        """The problem as the kernel sees it."""
        columns = hw.hlen if self.packed_heads else round_up(max(self.head_dim, 1), hw.mlen)
        return RopeShape(self.batch, self.seq, self.heads, self.head_dim, columns)

    def check(self, case: Case) -> None:
        """Refuse what cannot be turned.

        Raises:
            RuleError: names the rule.
        """
        lanes = case.hardware.lanes
        if self.packed_heads and self.heads % lanes:
            raise RuleError(
                f"with PACKED_HEADS, HEADS must be a multiple of LANES (got {self.heads}, LANES = {lanes})"
            )
        self.shape(case.hardware).check(case.hardware)
        if self.start < 0:
            raise RuleError(f"START must not be negative (got {self.start})")
        if not (np.isfinite(self.theta) and self.theta >= 1):
            raise RuleError(f"THETA must be at least 1 (got {self.theta:g})")

    def draw(self, case: Case) -> NDArray[np.uint16]:
        """X of the case's kind of data: batch x seq x heads x head_dim, raw bf16."""
        rng = np.random.default_rng(case.seed)
        shape = (self.batch, self.seq, self.heads, self.head_dim)
        return bf16_from_float(ACTIVATIONS[case.data](rng, shape, case.sigma, "x"))

    def roundings(self, case: Case) -> RopeRoundings:
        """The model of the roundings on the case's data."""
        return RopeRoundings(bf16_to_f32(self.draw(case)).astype(np.float64), self.start, self.theta)

    def place(self, case: Case, room: Room) -> Placed[RopeKernel]:
        """X, Y and the tables."""
        hw, shape = case.hardware, self.shape(case.hardware)
        cols = shape.columns(hw).groups(self.heads) * shape.columns(hw).period
        x = room.vram.packed("X", self.batch, self.seq, cols)
        y = x if self.in_place else room.vram.slabs("Y", self.batch, self.seq, cols)
        tables = place_tables(hw, shape, room)
        with room.scratch():
            kernel = RopeKernel(hw, shape, x, y, tables, room)
        return Placed(kernel, y, shape.head_cols)

    def stage(self, case: Case, placed: Placed[RopeKernel], images: MemoryImages) -> Answer:
        """X in VRAM, padding columns 0, and the tables."""
        kernel, rows = placed.operator, self.draw(case)
        staged = np.zeros((self.batch, self.seq, kernel.x.parent.physical_cols), np.uint16)
        spread = staged.reshape(self.batch, self.seq, -1, placed.head_cols)
        spread[:, :, : self.heads, : self.head_dim] = rows
        kernel.x.store(images.vram, staged)
        stage_tables(kernel.columns, kernel.tables, self.start, self.theta, images)
        model = self.roundings(case)
        return Answer.within(model.exact, rope_error(model))
