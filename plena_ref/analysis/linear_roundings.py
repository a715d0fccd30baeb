"""The one rounding of a linear layer: its f32 sums leave the array as bf16."""

from __future__ import annotations

from plena_ref.analysis.roundings import F64, ResultRounding
from plena_ref.golden.linear import linear

STAGES: dict[str, str] = {"Y": "product, at the write-out"}


def linear_rounding(x: F64, w: F64) -> ResultRounding:
    """The model of one linear layer; its golden is one head, batch x seq x 1 x out_features.

    Args:
        x: batch x seq x in_features, the values the machine starts from.
        w: in_features x out_features, the values the machine reads.
    """
    return ResultRounding(STAGES, linear(x, w)[:, :, None, :])
