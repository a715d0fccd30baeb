"""The roundings of RMSNorm: squares, a tree of sums, the mean, and what is done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from plena_ref.analysis.roundings import (
    F64,
    OperatorRoundings,
    Rounder,
    as_heads,
    relative_variance,
    round_to_bf16,
    sum_of,
    variance,
)
from plena_ref.golden.rms_norm import rms_norm


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
class RmsNormRoundings(OperatorRoundings):
    """The roundings of one RMSNorm.

    Attributes:
        x: batch x seq x features, the values the machine starts from.
        weight: features.
        eps: what is added to the mean square.
        mlen: numbers that are summed before a rounding.
    """

    stages: ClassVar[Mapping[str, str]] = {
        "x^2": "squares",
        "sum": "sums of MLEN numbers, at each level of the tree",
        "mean": "1/features, the mean, eps, and their sum",
        "1/rms": "square root and reciprocal",
        "x/rms": "the normalised row",
        "y": "that times the weight",
    }

    x: F64
    weight: F64
    eps: float
    mlen: int

    def golden(self) -> F64:
        """The normalised rows, times the weight."""
        return rms_norm(self.x, self.weight, self.eps)

    def computed(self, rounded: Rounder) -> F64:
        """Squares, their mean, 1/rms, and the two products with it."""
        squares = rounded("x^2", self.x**2)
        total = tree_sums(squares, self.mlen, lambda sums: rounded("sum", sums))[-1]
        inverse = rounded("mean", np.float64(1 / self.x.shape[-1]))
        mean = rounded("mean", rounded("mean", total * inverse) + rounded("mean", np.float64(self.eps)))
        factor = rounded("1/rms", 1 / rounded("1/rms", np.sqrt(mean)))
        return rounded("y", rounded("x/rms", self.x * factor) * self.weight)

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

    def closed_form(self) -> dict[str, F64]:
        """An error of 1/rms scales the row, the others are an element's own."""
        of_factor = {
            stage: as_heads(relative) * self.exact**2 for stage, relative in self.factor_variances().items()
        }
        return of_factor | self.element_variances()
