"""Problems on rows of activations: their sizes, and the kinds of activations there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.rules import check_fields
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.verdict.tolerance import Tolerance
from plena_ref.workloads.base import F64, Problem, Writer
from plena_ref.workloads.input_data import DATA

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case

#: The largest activations of real models; few features of few tokens have them.
OUTLIER = 25_000.0
#: One in so many elements is an outlier.
OUTLIERS = 50


def _outliers(rng: np.random.Generator, shape: tuple[int, ...], sigma: float, name: str) -> F64:
    """N(0, 1) * sigma, and outliers of up to 25,000."""
    values = DATA["normal"](rng, shape, sigma, name)
    found = rng.random(shape) < 1 / OUTLIERS
    return np.where(found, OUTLIER * rng.uniform(-1, 1, shape), values)


#: Kinds of activations by name.
ACTIVATIONS: Mapping[str, Callable[[np.random.Generator, tuple[int, ...], float, str], F64]] = {
    "normal": DATA["normal"],
    "outliers": _outliers,
    **{name: DATA[name] for name in ("large", "one_hot", "tiny")},
}


@dataclass(frozen=True)
class RowsProblem(Problem[Writer]):
    """A problem on rows of activations, judged by a bound that holds for any data.

    Attributes:
        features: of a row.
        batch, seq: there are batch * seq rows.
    """

    features: int
    batch: int = 1
    seq: int = 4

    data_kinds: ClassVar = tuple(ACTIVATIONS)

    def describe(self) -> str:
        """The problem in a line, for people."""
        return f"batch {self.batch}, seq {self.seq}, {self.features} features"

    def check(self, case: Case) -> None:
        """Refuse sizes below 1.

        Raises:
            RuleError: names the size.
        """
        check_fields(self, "batch", "seq", "features")

    def drawn(self, case: Case, rng: np.random.Generator, name: str) -> NDArray[np.uint16]:
        """Activations of the case's kind, raw bf16: batch*seq x features; `name` is the tensor's."""
        shape = (self.batch * self.seq, self.features)
        return bf16_from_float(ACTIVATIONS[case.data](rng, shape, case.sigma, name))

    def numbers(self, rows: NDArray[np.uint16]) -> F64:
        """Raw bf16 rows as numbers: batch x seq x features of a row."""
        return bf16_to_f32(rows).astype(np.float64).reshape(self.batch, self.seq, -1)

    def packed(self, room: Room, *names: str) -> tuple[BatchedVram, ...]:
        """Places of tensors of batch x seq x features."""
        return tuple(room.vram.packed(name, self.batch, self.seq, self.features) for name in names)

    def tolerance_of_overrides(self, hw: Hardware) -> Tolerance:
        """The same as of the registered cases: it holds for any data."""
        return self.tolerance(hw)
