"""What a verdict must know of the work that it judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.regions import Region
from plena_ref.machine.staged import Staged
from plena_ref.verdict.comparison import ComparisonParameters
from plena_ref.verdict.tolerance import Tolerance


class Judged(Staged, Protocol):
    """A piece of work with its golden; the attributes are those of `workloads.base.Workload`."""

    @property
    def tolerance(self) -> Tolerance:
        """Of the comparison with the golden."""

    @property
    def golden(self) -> NDArray[np.float64]:
        """batch x seq x heads x head_dim."""

    @property
    def scratch(self) -> Sequence[Region]:
        """The other words that the program may write."""

    @property
    def interval(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Bounds of every element, each shaped as golden; None: the tolerance judges."""

    @property
    def comparison(self) -> ComparisonParameters:
        """Where the result lies in VRAM."""

    @property
    def modelled(self) -> NDArray[np.float64] | None:
        """What the roundings make of the data, shaped as golden; NaN in rows, or None: nobody says it."""

    @property
    def integers(self) -> Mapping[int, int]:
        """What words of INT_MEM must hold, by number."""

    @property
    def head_cols(self) -> int:
        """Columns of a head in the physical result, padding included."""
