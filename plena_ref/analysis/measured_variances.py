"""Variances of a chain of stages, measured: what rounding one stage at a time changes at the end.

No closed form follows an error through softmax and norms. The mean square of what a rounded stage changes in
a row is the variance of every element of the row.

What goes into a cache is rounded twice, to bf16 and to MXFP8. The second rounding belongs to the problem, but
an error of a few units of bf16 before it turns some elements over to the next number of E4M3: one in
STEP/ERROR is off by a whole step. That is noise of variance error*step, drawn a few times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from plena_ref.analysis.roundings import F64, round_to_bf16, rounding_variance
from plena_ref.golden.language_model import Stage
from plena_ref.golden.mxfp8 import quantised_heads
from plena_ref.machine.hbm_format import HbmFormat

#: The stage whose error is drawn at random.
CACHE = "cache"
#: How often it is drawn.
DRAWS = 8
#: The error of K and V before MXFP8, and the step of E4M3 (3 bits of mantissa), relative to an element.
ERROR, STEP = 2.0**-8, 2.0**-3


def cache_rounding(form: HbmFormat, columns: int, noisy: bool, seed: int) -> Stage:
    """What a cache makes of keys or values, heads x n x head_dim; `noisy`: with the error before it.

    Args:
        form, columns: how a cache lies in HBM, and its columns from head to head.
        noisy: whether some elements round to another number.
        seed: which of them.
    """
    rng = np.random.default_rng(seed)

    def stored(_name: str, heads: F64) -> F64:
        read = quantised_heads(round_to_bf16(heads)[None], form, columns)[0]
        noise = rng.standard_normal(heads.shape) * np.sqrt(ERROR * STEP) * np.abs(heads)
        result: F64 = read + noise if noisy else read
        return result

    return stored


def measured_variances(
    rounded: Callable[[tuple[str, ...], int], F64],
    exact: F64,
    stages: Iterable[str],
    roundings: Mapping[str, int],
) -> dict[str, F64]:
    """Variance of each element's error by the stage that makes it, each shaped as `exact`.

    Args:
        rounded: the result with the named stages rounded, and a seed.
        exact: the result without.
        stages: their names.
        roundings: how many roundings in a row make a stage's result, where there are several.
    """
    found = {}
    for stage in stages:
        draws = DRAWS if stage == CACHE else 1
        squares = [(rounded((stage,), seed) - exact) ** 2 for seed in range(draws)]
        of_row = np.mean(squares, axis=0).mean(axis=-1, keepdims=True) * roundings.get(stage, 1)
        found[stage] = np.broadcast_to(of_row, exact.shape)
        if stage.endswith("residual"):
            # Most of it is each element's own.
            found[stage] = np.maximum(of_row, rounding_variance(exact))
    return found
