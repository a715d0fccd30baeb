"""The output head with tied weights: logits of all positions, or of the last, from the embedding's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plena_ref.analysis.linear_roundings import linear_rounding
from plena_ref.analysis.roundings import ResultRounding
from plena_ref.golden.mxfp8 import quantised_rows
from plena_ref.kernels.embedding import EmbeddingTable
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.output_head import OutputHeadKernel, check_head
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.rounding_count import product_error
from plena_ref.workloads.base import F64, Answer, Placed
from plena_ref.workloads.placement import stage_column_blocks, stage_rows
from plena_ref.workloads.rows_problem import ACTIVATIONS, RowsProblem

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


@dataclass(frozen=True)
class OutputHead(RowsProblem[OutputHeadKernel]):
    """Logits = X table^T; X is N(0, 1) * sigma, the table that over sqrt(features), in MXFP8 along its rows.

    The result counts as one head. Every element is judged by its own interval, for any data.

    Attributes:
        features: of a row of X and of the table.
        batch, seq: sequences, and positions of each.
        vocabulary: rows of the table, logits of a position.
        last: logits of the last position of each sequence only.
    """

    vocabulary: int = 96
    last: bool = False

    kernels: ClassVar = {"output_head": OutputHeadKernel}

    def describe(self) -> str:
        """The problem in a line, for people."""
        which = "the last position" if self.last else "all positions"
        return f"{super().describe()}, {self.vocabulary} logits of {which}"

    def check(self, case: Case) -> None:
        """Refuse also a vocabulary that the kernel does not do (`RuleError`)."""
        super().check(case)
        check_head(case.hardware, self.vocabulary)

    @property
    def positions(self) -> int:
        """Positions of each sequence that have logits."""
        return 1 if self.last else self.seq

    def draw(self, case: Case) -> tuple[F64, F64]:
        """X, batch x seq x features, and the table; bf16 values."""
        rng = np.random.default_rng(case.seed)
        x = ACTIVATIONS[case.data](rng, (self.batch, self.seq, self.features), case.sigma, "x")
        table = rng.standard_normal((self.vocabulary, self.features)) / np.sqrt(self.features)
        x, table = (bf16_to_f32(bf16_from_float(values)).astype(np.float64) for values in (x, table))
        return x, table

    def _operands(self, case: Case) -> tuple[F64, F64]:
        """The rows that have logits, and features x vocabulary as the machine reads it."""
        x, table = self.draw(case)
        return x[:, -self.positions :], quantised_rows(table, case.hardware.hbm_format("v", 0)).T

    def roundings(self, case: Case) -> ResultRounding:
        """The model of the roundings on the case's data."""
        return linear_rounding(*self._operands(case))

    def wrong_results(self, case: Case) -> Mapping[str, F64]:
        """Logits of the first position, where the last is asked for; the last panel once more."""
        x, table = self.draw(case)
        golden = self.roundings(case).exact
        mlen = case.hardware.mlen
        shifted = np.roll(golden, mlen, axis=-1)
        found = {"a panel further": shifted} if self.vocabulary > mlen else {}
        if self.last and self.seq > 1:
            read = quantised_rows(table, case.hardware.hbm_format("v", 0)).T
            found["logits of the first position"] = linear_rounding(x[:, :1], read).exact
        return found

    def place(self, case: Case, room: Room) -> Placed[OutputHeadKernel]:
        """X, the logits, and the table, which ends at LIMIT."""
        hw = case.hardware
        x = room.vram.packed("X", self.batch, self.seq, self.features)
        logits = room.vram.packed("logits", self.batch, self.positions, self.vocabulary)
        table = EmbeddingTable.place(hw, self.vocabulary, self.features, room)
        with room.scratch():
            kernel = OutputHeadKernel(hw, x, table, logits, room)
        return Placed(kernel, logits, logits.parent.physical_cols)

    def stage(self, case: Case, placed: Placed[OutputHeadKernel], images: MemoryImages) -> Answer:
        """X in VRAM, the table in HBM."""
        hw, kernel = case.hardware, placed.operator
        x, table = self.draw(case)
        rows = bf16_from_float(x.reshape(-1, self.features))
        stage_rows(kernel.all_rows.parent, images.vram, rows, round_up(len(rows), hw.blen))
        stage_column_blocks(kernel.table.tensor, images.hbm, bf16_from_float(table))
        exact = self.roundings(case).exact
        bound = product_error(*self._operands(case))[:, :, None, :]
        return Answer(exact, (exact - bound, exact + bound))
