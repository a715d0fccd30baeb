"""The roundings of a stack of decoder layers, end to end: what each stage hands on is rounded to bf16.

No closed form follows an error through softmax and norms, so the variances are measured: the stack is
computed with one stage rounded, and the mean square of what that changes in a row is the variance of every
element of the row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from plena_ref.analysis.measured_variances import CACHE, cache_rounding, measured_variances
from plena_ref.analysis.roundings import F64, round_to_bf16
from plena_ref.golden.language_model import KvCache, LayerWeights, ModelWeights, forward
from plena_ref.machine.hbm_format import HbmFormat

STAGES: dict[str, str] = {
    "attention norm": "the normalised rows before attention",
    "q": "queries",
    "k": "keys",
    "v": "values",
    "rotated q": "queries, turned",
    "rotated k": "keys, turned",
    "attention": "what attention makes of them",
    "projection": "its projection",
    "attention residual": "the residual stream after it",
    "mlp norm": "the normalised rows before the MLP",
    "gate": "gate",
    "up": "up",
    "activation": "SwiGLU",
    "down": "the projection back",
    "mlp residual": "the residual stream after the MLP",
    CACHE: "elements of K and V that round to another number of MXFP8",
}

#: Roundings in a row that make a stage's result, each as large as the last, where there are several: of
#: RMSNorm (square, sum, mean halved by the root; root, reciprocal, two products), RoPE (table, product, sum),
#: attention (Qs, S, P, sum, O, 1/l), SwiGLU (exp, sum, reciprocal, two products).
ROUNDINGS = {
    "attention norm": 6,
    "mlp norm": 6,
    "rotated q": 3,
    "rotated k": 3,
    "attention": 6,
    "activation": 5,
}


@dataclass(frozen=True)
class DecoderLayerRoundings:
    """The roundings of one stack (`analysis.roundings.Roundings`).

    Attributes:
        x: batch x seq x hidden, the residual stream the machine starts from.
        layers: weights as the machine reads them.
        keys, values: a list entry a layer, batch x kv_heads x past x head_dim, as read from the caches.
        rms_eps, rope_theta: as in the model.
        form, columns: how a cache lies in HBM, and its columns from head to head.
    """

    x: F64
    layers: tuple[LayerWeights, ...]
    keys: list[F64]
    values: list[F64]
    rms_eps: float
    rope_theta: float
    form: HbmFormat
    columns: int

    stages: ClassVar[Mapping[str, str]] = STAGES

    @cached_property
    def exact(self) -> F64:
        """The float64 golden as one head: batch x seq x 1 x hidden."""
        return self.rounded(())

    def rounded(self, stages: Collection[str], seed: int = 0) -> F64:
        """The stack with the named stages rounded; what goes into a cache is always MXFP8."""
        results = []
        stored = cache_rounding(self.form, self.columns, CACHE in stages, seed)
        for batch, rows in enumerate(self.x):
            seen = dict[str, F64]()

            def stage(name: str, values: F64, seen: dict[str, F64] = seen) -> F64:
                short = name.split(" ", 2)[-1] if name.startswith("layer ") else name
                seen[name] = round_to_bf16(values) if short in stages else values
                return seen[name]

            model = self._model(rows)
            past = [one[batch] for one in self.keys], [one[batch] for one in self.values]
            forward(model, range(len(rows)), KvCache(*past), stage, stored)
            results.append(seen[f"layer {len(self.layers) - 1} mlp residual"])
        return np.stack(results)[:, :, None, :]

    def _model(self, rows: F64) -> ModelWeights:
        """A model whose embedding is the residual stream, and whose head is of no interest."""
        head = np.zeros((1, rows.shape[1]), np.float32)
        head_dim = self.keys[0].shape[-1]
        final = np.ones(rows.shape[1], np.float32)
        # The golden computes in float64 throughout: the stream is not rounded to the weights' type.
        embedding: Any = rows
        return ModelWeights(embedding, self.layers, final, head, head_dim, self.rms_eps, self.rope_theta)

    def variances(self) -> dict[str, F64]:
        """The measured form by stage."""
        return measured_variances(self.rounded, self.exact, self.stages, ROUNDINGS)
