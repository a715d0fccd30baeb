"""Problems on rows of activations: their sizes, and the kinds of activations there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.rules import RuleError
from plena_ref.verdict.tolerance import Tolerance
from plena_ref.workloads.base import F64, Problem
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
class RowsProblem(Problem):
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
        for name in ("batch", "seq", "features"):
            if getattr(self, name) < 1:
                raise RuleError(f"{name.upper()} must be at least 1 (got {getattr(self, name)})")

    def tolerance_of_overrides(self, hw: Hardware) -> Tolerance:
        """The same as of the registered cases: it holds for any data."""
        return self.tolerance(hw)
