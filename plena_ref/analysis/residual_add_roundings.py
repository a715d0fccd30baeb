"""The one rounding of a residual add."""

from __future__ import annotations

from plena_ref.analysis.roundings import F64, ResultRounding, as_heads
from plena_ref.golden.residual_add import residual_add

STAGES: dict[str, str] = {"R": "the sum"}


def residual_add_rounding(x: F64, y: F64) -> ResultRounding:
    """The model of one residual add; its golden is one head, batch x seq x 1 x features.

    Args:
        x, y: batch x seq x features, the values the machine starts from.
    """
    return ResultRounding(STAGES, as_heads(residual_add(x, y)))
