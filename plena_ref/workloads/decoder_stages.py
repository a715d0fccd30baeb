"""The stages of decoder layers for `plena_ref.verdict.stages`: what each reads and leaves, golden and bound.

Activations are read where the program has them, weights are those that the host quantised: a program that
looks for them in the wrong place is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plena_ref.analysis.rms_norm_roundings import sum_levels
from plena_ref.analysis.rope_roundings import RopeRoundings
from plena_ref.configs.models import DecoderConfig
from plena_ref.golden.language_model import LayerWeights
from plena_ref.golden.linear import linear
from plena_ref.golden.rms_norm import rms_norm
from plena_ref.golden.rope import rope
from plena_ref.golden.swiglu import swiglu
from plena_ref.kernels.decoder_layer import DecoderLayers
from plena_ref.verdict.rounding_count import (
    counted_error,
    product_error,
    relative_error,
    rms_norm_error,
    rms_norm_flushed,
    sum_error,
    swiglu_error,
)
from plena_ref.verdict.stages import Reader, Stage, StagePlan
from plena_ref.workloads.base import F64
from plena_ref.workloads.layer_stages import (
    Parts,
    attention_parts,
    cache_of,
    rows_of,
    store_parts,
    sum_parts,
)
from plena_ref.workloads.rope import PRODUCT_ROUNDINGS


@dataclass(frozen=True)
class DecoderStages:
    """Makes the stages of one layer.

    Attributes:
        layers: the program.
        config: sizes, eps and theta.
        index: which layer.
        weights: as the machine reads them.
    """

    layers: DecoderLayers
    config: DecoderConfig
    index: int
    weights: LayerWeights

    def stages(self) -> list[list[Stage]]:
        """The stages of each operator of the layer, in the order of `DecoderLayers.stages`."""
        made = self._makers()
        return [
            [
                Stage(self.index, name, entry.operator.title, *parts)
                for name, parts in made.get(entry.name, {}).items()
            ]
            for entry in self.layers.stages
        ]

    def _rows(self, name: str, kind: str = "") -> Reader:
        """A tensor that stages hand on; `kind` says how wide it is: hidden, head or mlp."""
        tensor, hw = self.layers.tensors[name], self.layers.hw
        if kind == "head":
            return rows_of(tensor, self.config.head_dim, self.layers.shape.head_cols(hw))
        return rows_of(tensor, self.config.intermediate if kind == "mlp" else self.config.hidden)

    def _makers(self) -> dict[str, dict[str, Parts]]:
        """By operator of the layer: its results, each with inputs, output, golden and bound."""
        w, config = self.weights, self.config
        x, normed = self._rows("x"), self._rows("attention norm")
        mlp = self._rows("mlp norm")
        q, k, v, o = (self._rows(name, "head") for name in ("q", "k", "v", "attention"))
        gate, up = (self._rows(name, "mlp") for name in ("gate", "up"))
        theta, start = config.rope_theta, self.layers.shape.past

        def turned(rows: F64) -> F64:
            heads = rows.reshape(*rows.shape[:2], -1, config.head_dim)
            return rope(heads, start, theta).reshape(rows.shape)

        def turned_error(rows: F64) -> F64:
            heads = rows.reshape(*rows.shape[:2], -1, config.head_dim)
            model = RopeRoundings(heads, start, theta)
            bound = sum_error(model.exact, relative_error(PRODUCT_ROUNDINGS) * model.size())
            return bound.reshape(rows.shape)

        return {
            "attention norm": {"attention norm": self._norm(x, normed, w.attention_norm)},
            "qkv": {
                "q": self._linear(normed, q, w.q),
                "k": self._linear(normed, k, w.k),
                "v": self._linear(normed, v, w.v),
            },
            "rope": {
                "rotated q": ((q,), q, turned, turned_error),
                "rotated k": ((k,), k, turned, turned_error),
            },
            "k cache": {"k cache": self._store(k, "k")},
            "v cache": {"v cache": self._store(v, "v")},
            "attention": {"attention": self._attention(q, o)},
            "projection": {"projection": self._linear(o, self._rows("projection"), w.o)},
            "attention residual": {"attention residual": sum_parts(x, self._rows("projection"))},
            "mlp norm": {"mlp norm": self._norm(x, mlp, w.mlp_norm)},
            "gate and up": {
                "gate": self._linear(mlp, gate, w.gate),
                "up": self._linear(mlp, up, w.up),
            },
            "activation": {"activation": ((gate, up), gate, swiglu, swiglu_error)},
            "down": {"down": self._linear(gate, self._rows("down"), w.down)},
            "mlp residual": {"mlp residual": sum_parts(x, self._rows("down"))},
        }

    def _norm(self, x: Reader, y: Reader, weight: F64) -> Parts:
        eps = self.config.rms_eps
        error = rms_norm_error(sum_levels(self.config.hidden, self.layers.hw.mlen))
        return (
            (x,),
            y,
            lambda rows: rms_norm(rows, weight, eps),
            lambda rows: counted_error(rms_norm(rows, weight, eps), error, rms_norm_flushed(weight, eps)),
        )

    def _linear(self, x: Reader, y: Reader, weights: F64) -> Parts:
        return (
            (x,),
            y,
            lambda rows: linear(rows, weights.T),
            lambda rows: product_error(rows, weights.T),
        )

    def _cache(self, which: str, positions: range) -> Reader:
        caches = self.layers.stack.layer(self.index).caches
        columns = self.layers.shape.head_cols(self.layers.hw)
        tensor = getattr(caches, which)
        return cache_of(tensor, caches.rows_per_batch, positions, self.config.head_dim, columns)

    def _store(self, rows: Reader, which: str) -> Parts:
        shape, hw = self.layers.shape, self.layers.hw
        new = self._cache(which, range(shape.past, shape.past + shape.seq))
        return store_parts(hw, self.config.head_dim, shape.head_cols(hw), rows, new)

    def _attention(self, q: Reader, o: Reader) -> Parts:
        shape = self.layers.shape.attention
        caches = (self._cache(which, range(shape.kv_seq)) for which in "kv")
        return attention_parts(self.layers.hw, shape, q, *caches, o)


def decoder_plan(
    layers: DecoderLayers,
    config: DecoderConfig,
    weights: Sequence[LayerWeights],
    marks: Sequence[tuple[int, str]],
) -> StagePlan:
    """The stages of a program that holds one stack of layers.

    Args:
        layers: the operator.
        config: sizes, eps and theta.
        weights: of each layer, as the machine reads them.
        marks: of the program (`Program.marks`): the operators of a layer, and its end.
    """
    passes = [DecoderStages(layers, config, n, one).stages() for n, one in enumerate(weights)]
    return StagePlan([pc for pc, _ in marks], passes)
