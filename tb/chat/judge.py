"""What the float64 models say about each pass, and whether the machine's logits are as good as predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.model_error import ErrorModel
from plena_ref.golden.language_model import KvCache, ModelWeights, forward
from plena_ref.golden.mxfp8 import quantised_rows
from plena_ref.machine.hbm_format import HbmFormat

F64 = NDArray[np.float64]

#: Standard deviations by which the difference of two logits may be off: the predicted error of a step.
DEVIATIONS = 4.0
#: The machine's logits may be off by this many times the predicted standard deviation, root mean square.
EXCESS = 2.0


@dataclass(frozen=True)
class StepVerdict:
    """One pass, at its last position.

    Attributes:
        best: the machine's best token.
        exact_best: that of float64 on the same quantised weights.
        gap: how far float64 has its own best above the machine's; 0 where they are the same.
        predicted: the predicted error of the difference of two logits.
        error: root mean square error of the logits, without what they have in common.
        deviation: its predicted size.
        agreeing: positions of the pass at which machine and unquantised float64 have the same best token.
        positions: of the pass.
    """

    best: int
    exact_best: int
    gap: float
    predicted: float
    error: float
    deviation: float
    agreeing: int
    positions: int

    @property
    def passed(self) -> bool:
        """The best token is float64's, or as good within the predicted error; no logits are further off."""
        return bool(self.gap <= self.predicted and self.error <= EXCESS * self.deviation)


@dataclass(frozen=True)
class Expected:
    """What the models say of one pass.

    Attributes:
        exact: logits of float64 on the quantised weights, n x vocabulary.
        original: those on the weights of the file.
        deviation: predicted standard deviation of the machine's logits at the last position.
    """

    exact: F64
    original: F64
    deviation: float

    def judge(self, logits: F64) -> StepVerdict:
        """Judge the logits (n x vocabulary) that the machine made."""
        last = self.exact[-1]
        best, exact_best = int(logits[-1].argmax()), int(last.argmax())
        return StepVerdict(
            best=best,
            exact_best=exact_best,
            gap=float(last[exact_best] - last[best]),
            predicted=float(DEVIATIONS * np.sqrt(2) * self.deviation),
            error=float((logits[-1] - last).std()),
            deviation=self.deviation,
            agreeing=int((logits.argmax(axis=1) == self.original.argmax(axis=1)).sum()),
            positions=len(logits),
        )


class Judge:
    """Runs the float64 models beside the machine.

    Args:
        quantised: the weights that the machine reads.
        original: those of the file.
        form: how the caches lie in HBM.
    """

    def __init__(self, quantised: ModelWeights, original: ModelWeights, form: HbmFormat) -> None:
        self._quantised, self._original = quantised, original
        self._cache, self._float_cache = KvCache(), KvCache()

        def stored(_name: str, values: F64) -> F64:
            return quantised_rows(values, form)

        self._stored = stored
        self._errors = ErrorModel(quantised, stored)

    def expect(self, tokens: Sequence[int]) -> Expected:
        """What the models make of the tokens of the next pass; it takes no result of the machine."""
        exact = forward(self._quantised, tokens, self._cache, stored=self._stored)
        original = forward(self._original, tokens, self._float_cache)
        return Expected(exact, original, float(self._errors.deviation(tokens, exact)[-1]))
