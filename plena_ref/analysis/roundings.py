"""What every model of an operator's roundings offers, and what one rounding to bf16 does.

Models know positions, sizes and the rules of rounding; nothing of programs, memories or kernels.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32

F64 = NDArray[np.float64]


class Roundings(Protocol):
    """An operator on its data, with any subset of its roundings to bf16 switched on.

    Attributes:
        stages: what is rounded: name to explanation, in the order of the computation.
        exact: the float64 golden, batch x seq x heads x head_dim.
    """

    @property
    def stages(self) -> Mapping[str, str]:
        """What is rounded: name to explanation."""

    @property
    def exact(self) -> F64:
        """The float64 golden."""

    def rounded(self, stages: Collection[str]) -> F64:
        """The result with the named stages rounded and all else in float64, shaped as `exact`."""

    def variances(self) -> dict[str, F64]:
        """Variance of each element's error by the stage that makes it, each shaped as `exact`."""


def round_to_bf16(x: F64 | np.float64) -> F64:
    """The nearest bf16 value, in float64."""
    return bf16_to_f32(bf16_from_float(x)).astype(np.float64)


@dataclass(frozen=True)
class Rounder:
    """Rounds the numbers of some stages to bf16, and leaves those of all others alone.

    Attributes:
        stages: names of those that are rounded.
    """

    stages: Collection[str]

    def __call__(self, stage: str, numbers: F64 | np.float64) -> F64:
        """What a stage hands on of its numbers."""
        return round_to_bf16(numbers) if stage in self.stages else np.asarray(numbers)


def as_heads(values: F64) -> F64:
    """Rows, batch x seq x features, as one head, batch x seq x 1 x features; heads as they are."""
    return values if values.ndim == 4 else values[:, :, None, :]


def sum_of(variances: Iterable[F64]) -> F64:
    """The sum of arrays of one shape, of which there is at least one."""
    return functools.reduce(np.add, variances)


def bf16_step(x: F64) -> F64:
    """From `x` to the next bf16 value of its size, 2^(exponent - 7); 0 where `x` is 0."""
    _, exponent = np.frexp(np.where(x == 0, 1.0, x))
    return np.where(x == 0, 0.0, np.ldexp(1.0, exponent - 8))


def rounding_variance(x: F64) -> F64:
    """Variance of the error of rounding `x` to bf16: uniform over a step."""
    return bf16_step(x) ** 2 / 12


def variance(x: F64) -> F64:
    """`rounding_variance` where `x` is no bf16 value, else 0."""
    return np.where(round_to_bf16(x) == x, 0.0, rounding_variance(x))


def relative_variance(x: F64) -> F64:
    """`variance` of `x` by x^2; 0 where `x` is 0."""
    return np.divide(variance(x), x**2, out=np.zeros_like(x), where=x != 0)


@dataclass(frozen=True)
class ResultRounding:
    """The roundings of an operator that rounds nothing but its result.

    Attributes:
        stages: the one stage, with its explanation.
        exact: the float64 golden, batch x seq x heads x head_dim.
    """

    stages: Mapping[str, str]
    exact: F64

    def rounded(self, stages: Collection[str]) -> F64:
        """The golden, rounded or not."""
        return self.exact if self.stages.keys().isdisjoint(stages) else round_to_bf16(self.exact)

    def variances(self) -> dict[str, F64]:
        """The closed form by stage."""
        return {stage: variance(self.exact) for stage in self.stages}


class OperatorRoundings(ABC):
    """The model of an operator (`Roundings`) that says in its own terms what it computes.

    What it says is in rows, batch x seq x features, which count as one head, or in heads, batch x seq x heads
    x head_dim.

    Class attributes:
        stages: what is rounded: name to explanation, in the order of the computation.
    """

    stages: ClassVar[Mapping[str, str]]

    @abstractmethod
    def golden(self) -> F64:
        """The float64 golden."""

    @abstractmethod
    def computed(self, rounded: Rounder) -> F64:
        """The result, step by step, with the numbers of every stage handed to `rounded`."""

    @abstractmethod
    def closed_form(self) -> dict[str, F64]:
        """Variance of each element's error by the stage that makes it."""

    @cached_property
    def exact(self) -> F64:
        """The float64 golden: batch x seq x heads x head_dim."""
        return as_heads(self.golden())

    def rounded(self, stages: Collection[str]) -> F64:
        """The result with the named stages rounded and all else in float64, shaped as `exact`."""
        return as_heads(self.computed(Rounder(stages)))

    def variances(self) -> dict[str, F64]:
        """The closed form by stage, each shaped as `exact`."""
        return {stage: as_heads(found) for stage, found in self.closed_form().items()}
