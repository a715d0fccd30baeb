"""The stages of decoder layers for `plena_ref.verdict.stages`: what each reads and leaves, golden and bound.

A step of the program is an operator or a panel of a product (`kernels.language_model.layer_step`); here it
becomes the stage that judges it. Activations are read where the program has them, weights are those that the
host quantised: a program that looks for them in the wrong place is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from plena_ref.analysis.rms_norm_roundings import sum_levels
from plena_ref.analysis.rope_roundings import RopeRoundings
from plena_ref.golden.language_model import LayerWeights
from plena_ref.golden.linear import linear
from plena_ref.golden.rms_norm import rms_norm
from plena_ref.golden.rope import rope
from plena_ref.golden.swiglu import swiglu
from plena_ref.kernels.language_model.decoder_layers import DecoderLayers
from plena_ref.kernels.language_model.layer_step import LayerStep
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.verdict.rounding_count import (
    counted_error,
    product_error,
    rms_norm_error,
    rms_norm_flushed,
    swiglu_error,
)
from plena_ref.verdict.stages import Reader, Stage
from plena_ref.workloads.base import F64
from plena_ref.workloads.layer_stages import (
    Parts,
    attention_parts,
    cache_of,
    rows_of,
    store_parts,
    sum_parts,
)
from plena_ref.workloads.rope import rope_error

#: What makes each stage, in words; all others are products with a matrix.
OPERATORS = {
    "attention norm": "RMSNorm",
    "mlp norm": "RMSNorm",
    "rotated q": "RoPE",
    "rotated k": "RoPE",
    "k cache": "store to the cache",
    "v cache": "store to the cache",
    "attention": "attention on the caches",
    "attention residual": "residual add",
    "activation": "SwiGLU",
    "mlp residual": "residual add",
}
#: Names of products that are not those of their matrix.
PRODUCTS = {"o": "projection"}


@dataclass(frozen=True)
class DecoderStages:
    """Makes the stages of the steps of some layers.

    Attributes:
        layers: the program.
        weights: of each layer, as the machine reads them.
    """

    layers: DecoderLayers
    weights: Sequence[LayerWeights]

    def of_steps(self, steps: Sequence[LayerStep]) -> list[list[Stage]]:
        """The stages of each step."""
        return [self.of_step(step) for step in steps]

    def of_step(self, step: LayerStep) -> list[Stage]:
        """What judges one step: a stage, or one for q and one for k."""
        makers: dict[str, Callable[[LayerStep], Parts]] = {
            "attention norm": self._norm,
            "mlp norm": self._norm,
            "k cache": self._store,
            "v cache": self._store,
            "attention": self._attention,
            "attention residual": self._add,
            "mlp residual": self._add,
            "activation": self._activation,
        }
        if step.name == "rope":
            return self._rope(step)
        return [self._stage(step, step.name, makers.get(step.name, self._product)(step))]

    def _stage(self, step: LayerStep, name: str, parts: Parts) -> Stage:
        config, column = self.layers.config, step.first
        if name in ("k cache", "v cache"):
            column *= config.head_dim
        elif name == "attention":
            column *= config.head_dim * (config.heads // config.kv_heads)
        elif name in ("q", "k", "v"):
            column = self._outputs(step).start
        assert step.layer is not None
        name = PRODUCTS.get(name, name)
        return Stage(step.layer, name, OPERATORS.get(name, "product"), *parts, column=column)

    def _of(self, step: LayerStep) -> LayerWeights:
        """The weights of a step's layer."""
        assert step.layer is not None
        return self.weights[step.layer]

    def _rows(self, tensor: VramTensor, first: int = 0, count: int | None = None) -> Reader:
        """Columns of a tensor that stages hand on; all of them without `count`."""
        view = tensor.column_view(first, tensor.cols - first if count is None else count)
        return rows_of(self.layers.batched(view), view.cols)

    def _heads(self, tensor: VramTensor, first: int, count: int) -> Reader:
        """Heads side by side, without the padding between them."""
        columns = self.layers.columns.head
        return rows_of(self.layers.heads(tensor, first, count), self.layers.config.head_dim, columns)

    def _norm(self, step: LayerStep) -> Parts:
        layers, memory, w = self.layers, self.layers.memory, self._of(step)
        weight = w.attention_norm if step.name == "attention norm" else w.mlp_norm
        return norm_parts(
            self._rows(memory.x), self._rows(memory.normed), weight, layers.config.rms_eps, layers.hw.mlen
        )

    def _outputs(self, step: LayerStep) -> slice:
        """The outputs of the matrix that a panel makes, those of padding left out."""
        config, columns = self.layers.config, self.layers.columns.head
        size = {"o": config.hidden, "down": config.hidden}.get(step.name, config.intermediate)
        if step.name not in ("q", "k", "v"):
            return slice(step.first, min(step.first + step.count, size))
        head, column = divmod(step.first, columns)
        start = head * config.head_dim
        return slice(start + min(column, config.head_dim), start + min(column + step.count, config.head_dim))

    def _product(self, step: LayerStep) -> Parts:
        """A panel of a product."""
        memory, wide, config = self.layers.memory, self.layers.columns, self.layers.config
        starts = {"q": 0, "k": wide.q, "v": wide.q + wide.kv}
        targets = {"o": memory.product, "down": memory.product, "gate": memory.gate, "up": memory.up}
        x = self._rows(memory.gate if step.name == "down" else memory.normed)
        if step.name == "o":
            x = self._heads(memory.mixed, 0, config.heads)
        outputs = self._outputs(step)
        target, first = targets.get(step.name, memory.qkv), starts.get(step.name, 0) + step.first
        y = self._rows(target, first, outputs.stop - outputs.start)
        return product_parts(x, y, getattr(self._of(step), step.name)[outputs])

    def _rope(self, step: LayerStep) -> list[Stage]:
        """Some heads of q, of k, or of both."""
        heads = self.layers.config.heads
        parts = {
            "rotated q": range(step.first, min(step.first + step.count, heads)),
            "rotated k": range(max(step.first, heads), step.first + step.count),
        }
        size, stages = self.layers.config.head_dim, []
        for name, turned in parts.items():
            if turned:
                rows = self._heads(self.layers.memory.qkv, turned.start, len(turned))
                column = (turned.start - (heads if name == "rotated k" else 0)) * size
                at = replace(step, first=column)
                stages.append(self._stage(at, name, ((rows,), rows, self._turned, self._turned_error)))
        return stages

    def _split(self, rows: F64) -> F64:
        return rows.reshape(*rows.shape[:2], -1, self.layers.config.head_dim)

    def _turned(self, rows: F64) -> F64:
        theta, start = self.layers.config.rope_theta, self.layers.shape.position
        return rope(self._split(rows), start, theta).reshape(rows.shape)

    def _turned_error(self, rows: F64) -> F64:
        theta, start = self.layers.config.rope_theta, self.layers.shape.position
        return rope_error(RopeRoundings(self._split(rows), start, theta)).reshape(rows.shape)

    def _cache(self, step: LayerStep, which: str, positions: range) -> Reader:
        memory, size = self.layers.memory, self.layers.config.head_dim
        assert step.layer is not None
        cache = getattr(memory.layers[step.layer], which)[step.first]
        return cache_of(cache, memory.rows_per_batch, positions, size, self.layers.columns.head)

    def _store(self, step: LayerStep) -> Parts:
        layers, config, shape = self.layers, self.layers.config, self.layers.shape
        keys = step.name == "k cache"
        first = config.heads + (0 if keys else config.kv_heads) + step.first
        rows = self._heads(layers.memory.qkv, first, 1)
        positions = range(shape.position, shape.position + shape.rows)
        new = self._cache(step, "keys" if keys else "values", positions)
        return store_parts(layers.hw, config.head_dim, layers.columns.head, rows, new)

    def _attention(self, step: LayerStep) -> Parts:
        layers, memory, shape = self.layers, self.layers.memory, self.layers.attention_shape
        q, o = (self._heads(t, step.first * shape.heads, shape.heads) for t in (memory.qkv, memory.mixed))
        k, v = (self._cache(step, which, range(shape.kv_seq)) for which in ("keys", "values"))
        return attention_parts(layers.attention_hw, shape, q, k, v, o)

    def _add(self, step: LayerStep) -> Parts:
        memory = self.layers.memory
        x, product = (self._rows(t, step.first, step.count) for t in (memory.x, memory.product))
        return sum_parts(x, product)

    def _activation(self, step: LayerStep) -> Parts:
        memory = self.layers.memory
        gate, up = (self._rows(t, step.first, step.count) for t in (memory.gate, memory.up))
        return (gate, up), gate, swiglu, swiglu_error


def norm_parts(x: Reader, y: Reader, weight: np.ndarray, eps: float, mlen: int) -> Parts:
    """RMSNorm of whole rows."""
    weights = weight.astype(np.float64)
    error = rms_norm_error(sum_levels(len(weights), mlen))

    def golden(rows: F64) -> F64:
        return rms_norm(rows, weights, eps)

    return (
        (x,),
        y,
        golden,
        lambda rows: counted_error(golden(rows), error, rms_norm_flushed(weights, eps)),
    )


def product_parts(x: Reader, y: Reader, weights: np.ndarray) -> Parts:
    """Some outputs of a product; `weights` are outputs x inputs, as the machine reads them."""

    def of(function: Callable[[F64, F64], F64]) -> Callable[[F64], F64]:
        return lambda rows: function(rows, weights.T.astype(np.float64))

    return (x,), y, of(linear), of(product_error)
