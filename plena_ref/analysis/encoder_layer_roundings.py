"""The roundings of a vision encoder layer, end to end: what each stage hands on is rounded to bf16."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from plena_ref.analysis.measured_variances import CACHE, cache_rounding, measured_variances
from plena_ref.analysis.roundings import F64, round_to_bf16
from plena_ref.golden.vision_encoder import EncoderWeights, encoder_layer
from plena_ref.machine.hbm_format import HbmFormat

STAGES: dict[str, str] = {
    "attention norm": "the normalised rows before attention",
    "q": "queries",
    "k": "keys",
    "v": "values",
    "attention": "what attention makes of them",
    "projection": "its projection",
    "attention residual": "the residual stream after it",
    "mlp norm": "the normalised rows before the MLP",
    "up": "the first layer of the MLP",
    "activation": "GELU",
    "down": "the second layer of the MLP",
    "mlp residual": "the residual stream after the MLP",
    CACHE: "elements of K and V that round to another number of MXFP8",
}
#: Roundings in a row that make a stage's result, as for a decoder; a bias is one more.
ROUNDINGS = {
    "attention norm": 8,
    "q": 2,
    "k": 2,
    "v": 2,
    "attention": 6,
    "projection": 2,
    "mlp norm": 8,
    "up": 2,
    "activation": 8,
    "down": 2,
}


@dataclass(frozen=True)
class EncoderLayerRoundings:
    """The roundings of one layer (`analysis.roundings.Roundings`).

    Attributes:
        x: batch x seq x hidden, the residual stream the machine starts from.
        weights: as the machine reads them.
        head_dim, eps: as in the model.
        form, columns: how K and V lie in HBM, and their columns from head to head.
    """

    x: F64
    weights: EncoderWeights
    head_dim: int
    eps: float
    form: HbmFormat
    columns: int

    stages: ClassVar[Mapping[str, str]] = STAGES

    @cached_property
    def exact(self) -> F64:
        """The float64 golden as one head: batch x seq x 1 x hidden."""
        return self.rounded(())

    def rounded(self, stages: Collection[str], seed: int = 0) -> F64:
        """The layer with the named stages rounded; K and V are always MXFP8."""
        stored = cache_rounding(self.form, self.columns, CACHE in stages, seed)

        def stage(name: str, values: F64) -> F64:
            return round_to_bf16(values) if name in stages else values

        rows = [encoder_layer(one, self.weights, self.head_dim, self.eps, stage, stored) for one in self.x]
        return np.stack(rows)[:, :, None, :]

    def variances(self) -> dict[str, F64]:
        """The measured form by stage."""
        return measured_variances(self.rounded, self.exact, self.stages, ROUNDINGS)
