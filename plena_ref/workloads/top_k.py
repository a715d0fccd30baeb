"""Choosing among logits: top-k of any number of them (argmax is COUNT=1), and the router of experts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.moe_router_roundings import MoeRouterRoundings
from plena_ref.analysis.roundings import ResultRounding
from plena_ref.analysis.top_k_roundings import top_k_rounding
from plena_ref.golden.top_k import router_weights, top_k
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.kernels.moe_router import MoeRouterKernel, chosen_of, policy_of
from plena_ref.kernels.top_k import TopKKernel
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.rounding_count import router_error
from plena_ref.verdict.tolerance import EXACT, Tolerance
from plena_ref.workloads.base import F64, Answer, Placed
from plena_ref.workloads.placement import stage_rows
from plena_ref.workloads.rows_problem import RowsProblem

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case

#: One in so many logits is NaN.
NANS = 10


def draw_logits(case: Case, rows: int, features: int) -> NDArray[np.uint16]:
    """Logits of the case's kind, raw bf16; `ties` are few numbers, -0 among them, of `nan` some are NaN."""
    rng = np.random.default_rng(case.seed)
    values = rng.standard_normal((rows, features)) * case.sigma
    if case.data == "ties":
        values = np.copysign(np.abs(np.rint(values)), values)
    if case.data == "nan":
        values = np.where(rng.random(values.shape) < 1 / NANS, np.nan, values)
    return bf16_from_float(values)


def _stage(tensor: VramTensor, images: MemoryImages, logits: NDArray[np.uint16]) -> None:
    stage_rows(tensor, images.vram, logits, len(logits))


def _integers(first: int, places: NDArray[np.int64]) -> Mapping[int, int]:
    """What the words from `first` on must hold."""
    return {first + n: int(place) for n, place in enumerate(places.reshape(-1))}


@dataclass(frozen=True)
class TopK(RowsProblem[TopKKernel]):
    """The largest logits in descending order, equal ones by lower index, and their places.

    Attributes:
        features: logits of a row.
        batch, seq: there are batch * seq rows.
        count: how many are chosen; 1 is argmax.
    """

    count: int = 1

    kernels: ClassVar = {"top_k": TopKKernel}
    data_kinds: ClassVar = ("normal", "ties")

    def describe(self) -> str:
        """The problem in a line, for people."""
        return f"batch {self.batch}, seq {self.seq}, {self.count} of {self.features} logits"

    def tolerance(self, hw: Hardware) -> Tolerance:
        """Exact."""
        return EXACT

    def draw(self, case: Case) -> NDArray[np.uint16]:
        """Logits, raw bf16."""
        return draw_logits(case, self.batch * self.seq, self.features)

    def _values(self, case: Case) -> F64:
        return self.numbers(self.draw(case))

    def roundings(self, case: Case) -> ResultRounding:
        """The model of the roundings on the case's data."""
        return top_k_rounding(self._values(case), self.count)

    def place(self, case: Case, room: Room) -> Placed[TopKKernel]:
        """Logits, one row after the other in every column block, values and places."""
        rows = self.batch * self.seq
        logits = room.vram.tensor("logits", rows, self.features)
        values = room.vram.packed("values", self.batch, self.seq, self.count)
        places = room.int_mem.take("places", rows * self.count)
        with room.scratch():
            kernel = TopKKernel(case.hardware, logits, values.parent, places, room)
        return Placed.as_head(kernel, values)

    def stage(self, case: Case, placed: Placed[TopKKernel], images: MemoryImages) -> Answer:
        """The logits."""
        _stage(placed.operator.logits, images, self.draw(case))
        _, places = top_k(self._values(case), self.count)
        return Answer(self.roundings(case).exact, integers=_integers(placed.operator.places, places))


@dataclass(frozen=True)
class MoeRouter(RowsProblem[MoeRouterKernel]):
    """Softmax over the largest logits of a token, 4 of up to 32 or 8 of up to 128, and which they are.

    Attributes:
        features: experts.
        batch, seq: there are batch * seq tokens.
    """

    kernels: ClassVar = {"moe_router": MoeRouterKernel}
    data_kinds: ClassVar = ("normal", "ties", "nan")

    def describe(self) -> str:
        """The problem in a line, for people."""
        return f"batch {self.batch}, seq {self.seq}, {self._count} of {self.features} experts"

    @property
    def _count(self) -> int:
        return chosen_of(self.features)

    def check(self, case: Case) -> None:
        """Refuse numbers of experts that V_TOPK does not do.

        Raises:
            RuleError: names the rule.
        """
        super().check(case)
        policy_of(self.features)

    def draw(self, case: Case) -> NDArray[np.uint16]:
        """Logits, raw bf16."""
        return draw_logits(case, self.batch * self.seq, self.features)

    def roundings(self, case: Case) -> MoeRouterRoundings:
        """The model of the roundings on the case's data."""
        return MoeRouterRoundings(self.numbers(self.draw(case)), self._count)

    def place(self, case: Case, room: Room) -> Placed[MoeRouterKernel]:
        """Logits, weights, and the experts' numbers."""
        (logits,) = self.packed(room, "logits")
        weights = room.vram.packed("weights", self.batch, self.seq, self._count)
        chosen = room.int_mem.take("experts", self.batch * self.seq * self._count)
        with room.scratch():
            kernel = MoeRouterKernel(case.hardware, logits.parent, weights.parent, chosen, room)
        return Placed.as_head(kernel, weights)

    def stage(self, case: Case, placed: Placed[MoeRouterKernel], images: MemoryImages) -> Answer:
        """The logits."""
        _stage(placed.operator.logits, images, self.draw(case))
        model = self.roundings(case)
        _, places = router_weights(model.logits, self._count)
        bound = router_error(model.exact[:, :, 0], model.distances)[:, :, None, :]
        interval = (model.exact - bound, model.exact + bound)
        return Answer(model.exact, interval, _integers(placed.operator.chosen, places))
