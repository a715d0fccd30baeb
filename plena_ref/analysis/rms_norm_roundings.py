"""The roundings of RMSNorm: squares, a tree of sums, the mean, and what is done with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from plena_ref.analysis.roundings import F64, relative_variance, round_to_bf16, sum_of, variance
from plena_ref.golden.rms_norm import rms_norm

STAGES: dict[str, str] = {
    "x^2": "squares",
    "sum": "sums of MLEN numbers, at each level of the tree",
    "mean": "1/features, the mean, eps, and their sum",
    "1/rms": "square root and reciprocal",
    "x/rms": "the normalised row",
    "y": "that times the weight",
}


def tree_sums(values: F64, width: int, rounding: Callable[[F64], F64]) -> list[F64]:
    """Sums of `width` neighbours of the last axis, those of their sums, and so on until one is left.

    Args:
        values: ... x n.
        width: numbers that are summed exactly.
        rounding: what is done to each sum.
    """
    levels: list[F64] = []
    while not levels or values.shape[-1] > 1:
        count = -(-values.shape[-1] // width)
        padded = np.zeros((*values.shape[:-1], count * width))
        padded[..., : values.shape[-1]] = values
        values = rounding(padded.reshape(*values.shape[:-1], count, width).sum(axis=-1))
        levels.append(values)
    return levels


def sum_levels(features: int, mlen: int) -> int:
    """Levels of the tree that adds up the squares of a row."""
    return len(tree_sums(np.zeros(features), mlen, lambda sums: sums))


@dataclass(frozen=True)
class RmsNormRoundings:
    """The roundings of one RMSNorm (`analysis.roundings.Roundings`).

    Attributes:
        x: batch x seq x features, the values the machine starts from.
        weight: features.
        eps: what is added to the mean square.
        mlen: numbers that are summed before a rounding.
    """

    x: F64
    weight: F64
    eps: float
    mlen: int

    stages: ClassVar[Mapping[str, str]] = STAGES

    @cached_property
    def exact(self) -> F64:
        """The float64 golden as one head: batch x seq x 1 x features."""
        return rms_norm(self.x, self.weight, self.eps)[:, :, None, :]

    def rounded(self, stages: Collection[str]) -> F64:
        """RMSNorm with the named stages rounded."""

        def stage(name: str, value: F64 | np.float64) -> F64:
            return round_to_bf16(value) if name in stages else np.asarray(value)

        squares = stage("x^2", self.x**2)
        total = tree_sums(squares, self.mlen, lambda sums: stage("sum", sums))[-1]
        inverse = stage("mean", np.float64(1 / self.x.shape[-1]))
        mean = stage("mean", stage("mean", total * inverse) + stage("mean", np.float64(self.eps)))
        factor = stage("1/rms", 1 / stage("1/rms", np.sqrt(mean)))
        return stage("y", stage("x/rms", self.x * factor) * self.weight)[:, :, None, :]

    def factor_variances(self) -> dict[str, F64]:
        """Variance of the relative error of each row's 1/rms, by stage: batch x seq x 1."""
        squares, features = self.x**2, self.x.shape[-1]
        total = squares.sum(axis=-1, keepdims=True)
        mean, inverse = total / features, np.float64(1 / features)
        power = mean + self.eps
        levels = tree_sums(squares, self.mlen, lambda sums: sums)
        of_sum = sum_of(variance(level).sum(axis=-1, keepdims=True) for level in levels)
        constants = ((float(round_to_bf16(inverse)) / inverse - 1) * mean) ** 2
        constants = constants + (float(round_to_bf16(np.float64(self.eps))) - self.eps) ** 2
        rms = np.sqrt(power)
        return {
            "x^2": variance(squares).sum(axis=-1, keepdims=True) / (2 * features * power) ** 2,
            "sum": of_sum / (2 * features * power) ** 2,
            "mean": (variance(mean) + variance(power) + constants) / (2 * power) ** 2,
            "1/rms": relative_variance(rms) + relative_variance(1 / rms),
        }

    def element_variances(self) -> dict[str, F64]:
        """Variance of what each element adds on its own, by stage: batch x seq x features."""
        normalised = self.x / np.sqrt((self.x**2).mean(axis=-1, keepdims=True) + self.eps)
        return {
            "x/rms": variance(normalised) * self.weight**2,
            "y": variance(normalised * self.weight),
        }

    def variances(self) -> dict[str, F64]:
        """The closed form by stage."""
        of_factor = {
            stage: relative[:, :, None, :] * self.exact**2
            for stage, relative in self.factor_variances().items()
        }
        return of_factor | {stage: found[:, :, None, :] for stage, found in self.element_variances().items()}
