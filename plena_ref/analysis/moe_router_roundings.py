"""The roundings of a router's softmax over the experts that were chosen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from plena_ref.analysis.roundings import F64, relative_variance, round_to_bf16, variance
from plena_ref.golden.top_k import router_weights, top_k

STAGES: dict[str, str] = {
    "distance": "logits less the largest",
    "exp": "their exponentials",
    "1/sum": "the sum, and its reciprocal",
    "w": "weights",
}


@dataclass(frozen=True)
class MoeRouterRoundings:
    """The roundings of one router (`analysis.roundings.Roundings`).

    Attributes:
        logits: batch x seq x experts, bf16 values; NaN counts as -infinity.
        count: experts that are chosen.
    """

    logits: F64
    count: int

    stages: ClassVar[Mapping[str, str]] = STAGES

    @cached_property
    def exact(self) -> F64:
        """The float64 golden as one head: batch x seq x 1 x count."""
        return router_weights(self.logits, self.count)[0][:, :, None, :]

    @cached_property
    def distances(self) -> F64:
        """Logits less the largest, in float64: batch x seq x count."""
        values, _ = top_k(self.logits, self.count)
        return values - values[..., :1]

    def rounded(self, stages: Collection[str]) -> F64:
        """The weights with the named stages rounded."""

        def stage(name: str, value: F64) -> F64:
            return round_to_bf16(value) if name in stages else value

        exponentials = stage("exp", np.exp(stage("distance", self.distances)))
        total = stage("1/sum", exponentials.sum(axis=-1, keepdims=True))
        return stage("w", exponentials * stage("1/sum", 1 / total))[:, :, None, :]

    def variances(self) -> dict[str, F64]:
        """The closed form by stage: what an exponential is off moves its own weight and the sum."""
        weights = self.exact[:, :, 0]
        total = np.exp(self.distances).sum(axis=-1, keepdims=True)

        def through_sum(relative: F64) -> F64:
            of_sum = (weights**2 * relative).sum(axis=-1, keepdims=True)
            return weights**2 * ((1 - 2 * weights) * relative + of_sum)

        found = {
            "distance": through_sum(variance(self.distances)),
            "exp": through_sum(relative_variance(np.exp(self.distances))),
            "1/sum": weights**2 * (relative_variance(total) + relative_variance(1 / total)),
            "w": variance(weights),
        }
        return {name: values[:, :, None, :] for name, values in found.items()}
