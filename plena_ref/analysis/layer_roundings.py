"""The roundings of whole layers, end to end: what each stage hands on is rounded to bf16.

No closed form follows an error through softmax and norms, so the variances are measured: the layers are
computed with one stage rounded, and the mean square of what that changes in a row is the variance of every
element of the row.

Which error each of the roundings inside a stage makes is not followed: all together are drawn, as many of
them as the machine makes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from plena_ref.analysis.measured_variances import CACHE, DRAWS, cache_rounding, measured_variances
from plena_ref.analysis.roundings import F64, Rounder, as_heads, round_to_bf16, rounding_variance
from plena_ref.golden.language_model import Stage
from plena_ref.machine.hbm_format import HbmFormat

#: What attention works on.
ATTENTION_INPUTS: dict[str, str] = {
    "attention norm": "the normalised rows before attention",
    "q": "queries",
    "k": "keys",
    "v": "values",
}
#: From attention to the MLP.
ATTENTION_RESULTS: dict[str, str] = {
    "attention": "what attention makes of them",
    "projection": "its projection",
    "attention residual": "the residual stream after it",
    "mlp norm": "the normalised rows before the MLP",
}
#: After the MLP, and what layers leave in a cache.
LAYER_RESULTS: dict[str, str] = {
    "mlp residual": "the residual stream after the MLP",
    CACHE: "elements of K and V that round to another number of MXFP8",
}


@dataclass(frozen=True)
class _DrawnRounder(Rounder):
    """Rounds what a stage hands on, after errors as large for the roundings before the last.

    Attributes:
        roundings: as of `LayerRoundings`.
        rng: draws the errors.
    """

    roundings: Mapping[str, int]
    rng: np.random.Generator = field(compare=False)

    def __call__(self, stage: str, numbers: F64 | np.float64) -> F64:
        """What a stage hands on of its numbers."""
        values = np.asarray(numbers)
        before = self.roundings.get(stage, 1) - 1
        if before:
            deviation = np.sqrt(before * rounding_variance(values))
            values = values + self.rng.standard_normal(values.shape) * deviation
        return round_to_bf16(values)


@dataclass(frozen=True)
class LayerRoundings(ABC):
    """The model of some layers (`analysis.roundings.Roundings`).

    Class attributes:
        stages: what is rounded: name to explanation, in the order of the computation.
        roundings: roundings in a row that make a stage's result, each as large as the last, where there are
            several.

    Attributes:
        x: batch x seq x hidden, the residual stream the machine starts from.
        form, columns: how K and V lie in HBM, and their columns from head to head.
    """

    x: F64
    form: HbmFormat
    columns: int

    stages: ClassVar[Mapping[str, str]]
    roundings: ClassVar[Mapping[str, int]]

    @abstractmethod
    def computed(self, batch: int, rounded: Rounder, stored: Stage) -> F64:
        """The residual stream that the layers leave of one batch: seq x hidden.

        Args:
            batch: which.
            rounded: what is done to what a stage hands on.
            stored: what a cache makes of keys or values.
        """

    @cached_property
    def exact(self) -> F64:
        """The float64 golden as one head: batch x seq x 1 x hidden."""
        return self.rounded(())

    def rounded(self, stages: Collection[str], seed: int = 0) -> F64:
        """The layers with the named stages rounded; what goes into a cache is always MXFP8."""
        stored = cache_rounding(self.form, self.columns, CACHE in stages, seed)
        return self._computed(Rounder(stages), stored)

    def drawn(self) -> Iterator[F64]:
        """Results with all roundings of all stages, drawn `DRAWS` times.

        Elements of K and V round to another number of MXFP8 because of the errors before, and need no noise.
        """
        stored = cache_rounding(self.form, self.columns, noisy=False, seed=0)
        for seed in range(DRAWS):
            yield self._computed(
                _DrawnRounder(self.stages, self.roundings, np.random.default_rng(seed)), stored
            )

    def _computed(self, rounder: Rounder, stored: Stage) -> F64:
        """All batches, as one head."""
        return as_heads(np.stack([self.computed(batch, rounder, stored) for batch in range(len(self.x))]))

    def variances(self) -> dict[str, F64]:
        """The measured form by stage."""
        return measured_variances(self.rounded, self.exact, self.stages, self.roundings)
