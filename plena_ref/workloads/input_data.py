"""Kinds of input data: what the numbers of a case look like, besides normally distributed.

Each kind makes the float64 values of one tensor. Kinds other than `normal` are hostile: the machine's bf16
roundings may move their results by much, so they are judged by `plena_ref.verdict.error_bound`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: `large` numbers are this many standard deviations.
LARGE = 2.0**20
#: Magnitude of the non-zero elements of `one_hot`, in standard deviations.
HOT = 8.0
#: Exponents of `tiny` numbers: below and above the smallest normal bf16 number, 2^-126.
TINY_EXPONENTS = (-132, -116)


def _normal(rng: np.random.Generator, shape: tuple[int, ...], sigma: float, _name: str) -> F64:
    """N(0, 1) * sigma."""
    return rng.standard_normal(shape) * sigma


def _large(rng: np.random.Generator, shape: tuple[int, ...], sigma: float, name: str) -> F64:
    """N(0, 1) * sigma * 2^20: scores of 2^40, so that the softmax chooses single keys."""
    return _normal(rng, shape, sigma, name) * LARGE


def _equal_keys(rng: np.random.Generator, shape: tuple[int, ...], sigma: float, name: str) -> F64:
    """All keys of a head are the same, so a result is the mean of the visible values."""
    values = _normal(rng, shape, sigma, name)
    return np.broadcast_to(values[..., :1, :], shape).copy() if name == "k" else values


def _one_hot(rng: np.random.Generator, shape: tuple[int, ...], sigma: float, _name: str) -> F64:
    """Rows with a single element other than 0, of either sign."""
    values = np.zeros(shape)
    columns = rng.integers(shape[-1], size=shape[:-1])
    signs = rng.choice([-HOT * sigma, HOT * sigma], size=shape[:-1])
    np.put_along_axis(values, columns[..., None], signs[..., None], axis=-1)
    return values


def _tiny(rng: np.random.Generator, shape: tuple[int, ...], sigma: float, _name: str) -> F64:
    """Magnitudes about the smallest normal number: bf16 subnormals, zero in arithmetic, and normals."""
    low, high = TINY_EXPONENTS
    return sigma * rng.standard_normal(shape) * np.ldexp(1.0, rng.integers(low, high, size=shape))


#: Kinds by name: each takes (generator, shape with positions and head_dim last, sigma, "q", "k" or "v").
DATA: dict[str, Callable[[np.random.Generator, tuple[int, ...], float, str], F64]] = {
    "normal": _normal,
    "large": _large,
    "equal_keys": _equal_keys,
    "one_hot": _one_hot,
    "tiny": _tiny,
}
