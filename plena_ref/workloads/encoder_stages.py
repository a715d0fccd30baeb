"""The stages of a vision encoder layer for `plena_ref.verdict.stages`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plena_ref.analysis.gelu_formula import FORMULAS
from plena_ref.analysis.rms_norm_roundings import sum_levels
from plena_ref.configs.models import EncoderConfig
from plena_ref.golden.gelu import gelu_tanh
from plena_ref.golden.layer_norm import layer_norm
from plena_ref.golden.linear import linear
from plena_ref.golden.vision_encoder import Affine, EncoderWeights
from plena_ref.kernels.centring import CENTRINGS
from plena_ref.kernels.encoder_layer import EncoderLayer
from plena_ref.verdict import gelu_bound, layer_norm_bound
from plena_ref.verdict.error_bound import UNIT
from plena_ref.verdict.rounding_count import F32_UNIT, FLUSHED_OF_SUM, counted_error, product_error
from plena_ref.verdict.stages import Reader, Stage, StagePlan
from plena_ref.workloads import layer_stages as shared
from plena_ref.workloads.base import F64
from plena_ref.workloads.layer_stages import Parts

#: The form of GELU in these encoders.
GELU = "gelu_tanh"


def _farthest(exact: F64, bounds: tuple[F64, F64]) -> F64:
    """How far the ends of an interval are from the golden."""
    return np.maximum(np.abs(bounds[0] - exact), np.abs(bounds[1] - exact))


@dataclass(frozen=True)
class EncoderStages:
    """Makes the stages of one layer.

    Attributes:
        layer: the program.
        config: sizes and eps.
        weights: as the machine reads them.
    """

    layer: EncoderLayer
    config: EncoderConfig
    weights: EncoderWeights

    def plan(self, marks: Sequence[tuple[int, str]]) -> StagePlan:
        """The stages of a program that holds the layer, by its marks."""
        made = self._makers()
        stages = [
            [Stage(0, name, entry.operator.title, *parts) for name, parts in made[entry.name].items()]
            for entry in self.layer.stages
        ]
        return StagePlan([pc for pc, _ in marks], [stages])

    def _rows(self, name: str, kind: str = "") -> Reader:
        tensor = self.layer.tensors[name]
        if kind == "head":
            return shared.rows_of(tensor, self.config.head_dim, self.layer.shape.head_cols(self.layer.hw))
        return shared.rows_of(tensor, self.config.intermediate if kind == "mlp" else self.config.hidden)

    def _makers(self) -> dict[str, dict[str, Parts]]:
        """By operator: its results, each with inputs, output, golden and bound."""
        w, x, normed = self.weights, self._rows("x"), self._rows("attention norm")
        mlp, up = self._rows("mlp norm"), self._rows("up", "mlp")
        q, k, v, o = (self._rows(name, "head") for name in ("q", "k", "v", "attention"))
        projected, down = self._rows("projection"), self._rows("down")
        formula = FORMULAS[GELU]

        def gelu_error(rows: F64) -> F64:
            bounds = gelu_bound.interval(rows, formula.coefficients, formula.limit, formula.error)
            return _farthest(gelu_tanh(rows), bounds)

        return {
            "attention norm": {"attention norm": self._norm(x, normed, w.attention_norm)},
            "qkv": {
                "q": _linear(normed, q, w.q),
                "k": _linear(normed, k, w.k),
                "v": _linear(normed, v, w.v),
            },
            "k cache": {"k cache": self._store(k, "k")},
            "v cache": {"v cache": self._store(v, "v")},
            "attention": {"attention": self._attention(q, o)},
            "projection": {"projection": _linear(o, projected, w.o)},
            "attention residual": {"attention residual": shared.sum_parts(x, projected)},
            "mlp norm": {"mlp norm": self._norm(x, mlp, w.mlp_norm)},
            "up": {"up": _linear(mlp, up, w.up)},
            "activation": {"activation": ((up,), up, gelu_tanh, gelu_error)},
            "down": {"down": _linear(up, down, w.down)},
            "mlp residual": {"mlp residual": shared.sum_parts(x, down)},
        }

    def _norm(self, x: Reader, y: Reader, norm: Affine) -> Parts:
        eps, levels = self.config.norm_eps, sum_levels(self.config.hidden, self.layer.hw.mlen)

        def golden(rows: F64) -> F64:
            return layer_norm(rows, norm.weight, norm.bias, eps)

        def error(rows: F64) -> F64:
            bounds = layer_norm_bound.interval(rows, norm.weight, norm.bias, eps, levels, CENTRINGS)
            return _farthest(golden(rows), bounds)

        return (x,), y, golden, error

    def _cache(self, which: str) -> Reader:
        caches, shape = self.layer.own.caches, self.layer.shape
        columns = shape.head_cols(self.layer.hw)
        everything = range(shape.seq)
        return shared.cache_of(
            getattr(caches, which), caches.rows_per_batch, everything, shape.head_dim, columns
        )

    def _store(self, rows: Reader, which: str) -> Parts:
        columns = self.layer.shape.head_cols(self.layer.hw)
        return shared.store_parts(self.layer.hw, self.config.head_dim, columns, rows, self._cache(which))

    def _attention(self, q: Reader, o: Reader) -> Parts:
        shape = self.layer.shape.attention
        return shared.attention_parts(self.layer.hw, shape, q, self._cache("k"), self._cache("v"), o)


def _linear(x: Reader, y: Reader, layer: Affine) -> Parts:
    """One rounding at the write-out, one of the sum with the bias."""

    def golden(rows: F64) -> F64:
        return linear(rows, layer.weight.T, layer.bias)

    def error(rows: F64) -> F64:
        product = product_error(rows, layer.weight.T)
        return product + counted_error(np.abs(golden(rows)) + product, UNIT + F32_UNIT, FLUSHED_OF_SUM)

    return (x,), y, golden, error
