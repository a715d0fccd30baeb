"""Embedding: rows of a table in HBM, MXFP8 in blocks along a row, by token ids in INT_MEM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.embedding_roundings import embedding_rounding
from plena_ref.analysis.roundings import F64, ResultRounding
from plena_ref.golden.mxfp8 import quantised_rows
from plena_ref.kernels.embedding import EmbeddingKernel, EmbeddingTable
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.rules import check_fields
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.rules import RuleError
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.tolerance import EXACT, Tolerance
from plena_ref.workloads.base import Answer, Placed
from plena_ref.workloads.placement import stage_column_blocks
from plena_ref.workloads.rows_problem import RowsProblem

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case


@dataclass(frozen=True)
class Embedding(RowsProblem[EmbeddingKernel]):
    """X = table[ids]; the table is N(0, 1) * sigma. The result counts as one head.

    Attributes:
        features: of a row.
        batch, seq: there are batch * seq tokens.
        vocabulary: rows of the table.
        ids: token ids separated by commas, one a token; empty: drawn, the first and the last row among them.
    """

    vocabulary: int = 96
    ids: str = ""

    kernels: ClassVar = {"embedding": EmbeddingKernel}
    data_kinds: ClassVar = ("normal",)

    def describe(self) -> str:
        """The problem in a line, for people."""
        return f"{super().describe()}, a table of {self.vocabulary} rows"

    def check(self, case: Case) -> None:
        """Refuse also ids that cannot be read or do not fit the problem (`RuleError`)."""
        super().check(case)
        check_fields(self, "vocabulary")
        try:
            given = [int(word) for word in self.ids.split(",") if self.ids]
        except ValueError:
            raise RuleError(f"IDS must be numbers separated by commas (got {self.ids})") from None
        if given and len(given) != self.batch * self.seq:
            raise RuleError(f"IDS must be BATCH*SEQ = {self.batch * self.seq} numbers (got {len(given)})")

    def tolerance(self, hw: Hardware) -> Tolerance:
        """Exact."""
        return EXACT

    def draw(self, case: Case) -> tuple[F64, NDArray[np.int64]]:
        """The table in bf16 values, and the ids, batch x seq."""
        rng = np.random.default_rng(case.seed)
        table = bf16_from_float(rng.standard_normal((self.vocabulary, self.features)) * case.sigma)
        ids = rng.integers(0, self.vocabulary, self.batch * self.seq)
        ids[0], ids[-1] = 0, self.vocabulary - 1
        if self.ids:
            ids = np.array([int(word) for word in self.ids.split(",")])
        return bf16_to_f32(table).astype(np.float64), ids.reshape(self.batch, self.seq)

    def roundings(self, case: Case) -> ResultRounding:
        """The model of the roundings on the case's data."""
        table, ids = self.draw(case)
        return embedding_rounding(quantised_rows(table, case.hardware.hbm_format("v", 0)), ids)

    def place(self, case: Case, room: Room) -> Placed[EmbeddingKernel]:
        """The ids, the table, and X."""
        (x,) = self.packed(room, "X")
        ids = room.int_mem.take("token ids", self.batch * self.seq)
        table = EmbeddingTable.place(case.hardware, self.vocabulary, self.features, room)
        table.check_ids(self.draw(case)[1].reshape(-1).tolist())
        with room.scratch():
            kernel = EmbeddingKernel(case.hardware, table, ids, x.parent, room)
        return Placed.as_head(kernel, x)

    def stage(self, case: Case, placed: Placed[EmbeddingKernel], images: MemoryImages) -> Answer:
        """The table in HBM, the ids in INT_MEM."""
        table, ids = self.draw(case)
        kernel = placed.operator
        images.intmem[kernel.ids : kernel.ids + ids.size] = ids.reshape(-1)
        stage_column_blocks(kernel.table.tensor, images.hbm, bf16_from_float(table))
        return Answer(self.roundings(case).exact)
