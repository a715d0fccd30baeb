"""The roundings of a router's softmax over the experts that were chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from plena_ref.analysis.difference_rounding import difference_rounding
from plena_ref.analysis.roundings import F64, OperatorRoundings, Rounder, relative_variance, variance
from plena_ref.golden.top_k import router_weights, top_k


@dataclass(frozen=True)
class MoeRouterRoundings(OperatorRoundings):
    """The roundings of one router.

    Attributes:
        logits: batch x seq x experts, bf16 values; NaN counts as -infinity.
        count: experts that are chosen.
    """

    stages: ClassVar[Mapping[str, str]] = {
        "distance": "logits less the largest",
        "exp": "their exponentials",
        "1/sum": "the sum, and its reciprocal",
        "w": "weights",
    }

    logits: F64
    count: int

    def golden(self) -> F64:
        """The weights: batch x seq x count."""
        return router_weights(self.logits, self.count)[0]

    @cached_property
    def distances(self) -> F64:
        """Logits less the largest, in float64: batch x seq x count."""
        values, _ = top_k(self.logits, self.count)
        return values - values[..., :1]

    def computed(self, rounded: Rounder) -> F64:
        """Softmax over the chosen logits."""
        exponentials = rounded("exp", np.exp(rounded("distance", self.distances)))
        total = rounded("1/sum", exponentials.sum(axis=-1, keepdims=True))
        return rounded("w", exponentials * rounded("1/sum", 1 / total))

    def closed_form(self) -> dict[str, F64]:
        """What an exponential is off moves its own weight and the sum."""
        weights = self.golden()
        total = np.exp(self.distances).sum(axis=-1, keepdims=True)

        def through_sum(relative: F64) -> F64:
            of_sum = (weights**2 * relative).sum(axis=-1, keepdims=True)
            result: F64 = weights**2 * ((1 - 2 * weights) * relative + of_sum)
            return result

        values, _ = top_k(self.logits, self.count)
        rounding = difference_rounding(values, values[..., :1])
        distance = through_sum(rounding.own)
        for error in rounding.shared_errors():
            distance += (weights * (error - (weights * error).sum(axis=-1, keepdims=True))) ** 2

        return {
            "distance": distance,
            "exp": through_sum(relative_variance(np.exp(self.distances))),
            "1/sum": weights**2 * (relative_variance(total) + relative_variance(1 / total)),
            "w": variance(weights),
        }
