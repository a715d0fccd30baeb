"""Decoder layers of a model: sizes from its record, seeded weights, prefill or after a cache.

End to end the result is judged by what the roundings of all stages come to; `plena_ref.verdict.stages` judges
each stage from its own inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plena_ref.analysis.decoder_layer_roundings import DecoderLayerRoundings
from plena_ref.analysis.roundings import sum_of
from plena_ref.configs.models import DECODERS, DecoderConfig
from plena_ref.golden.language_model import LayerWeights
from plena_ref.golden.mxfp8 import quantised_heads
from plena_ref.kernels.decoder_layer import DecoderLayers, DecoderShared
from plena_ref.kernels.decoder_shape import DecoderShape
from plena_ref.kernels.layer_stack import LayerStack
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.rules import RuleError
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.stages import StagePlan
from plena_ref.verdict.tolerance import SMALLEST_NORMAL, element_tolerance
from plena_ref.workloads.base import F64, Answer, Placed, Problem
from plena_ref.workloads.decoder_stages import decoder_plan
from plena_ref.workloads.decoder_staging import stage_caches, stage_layer, stage_norms, stage_shared
from plena_ref.workloads.norm_problem import WEIGHT_SIGMA
from plena_ref.workloads.placement import stage_rows

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case

#: Real models have a channel in which the first token is this large; norms bring it back.
FIRST_TOKEN = 1000.0
#: The channel.
CHANNEL = 5


@dataclass(frozen=True)
class LayerInputs:
    """What a stack works on.

    Attributes:
        x: batch x seq x hidden, bf16 values.
        layers: weights before quantisation.
        keys, values: an entry a layer, batch x kv_heads x past x head_dim, bf16 values.
    """

    x: F64
    layers: list[LayerWeights]
    keys: list[F64]
    values: list[F64]


@dataclass(frozen=True)
class DecoderLayer(Problem):
    """X after some decoder layers. The result counts as one head.

    Attributes:
        model: which record of `plena_ref.configs.models.DECODERS` has the sizes.
        layers: how many layers there are; the second reads what the first left.
        batch, seq: sequences, and new positions of each.
        past: positions that the caches hold before.
    """

    model: str = "smolvlm2"
    layers: int = 1
    batch: int = 1
    seq: int = 4
    past: int = 0

    kernels: ClassVar = {"decoder_layer": DecoderLayers}

    @property
    def config(self) -> DecoderConfig:
        """The record.

        Raises:
            RuleError: there is none of that name.
        """
        if self.model not in DECODERS:
            raise RuleError(f"MODEL must be one of {', '.join(DECODERS)} (got {self.model})")
        return DECODERS[self.model]

    @property
    def shape(self) -> DecoderShape:
        """The problem as the kernels see it."""
        sizes = {f.name: getattr(self, f.name, None) for f in fields(DecoderShape)}
        return DecoderShape(**{n: getattr(self.config, n) if v is None else v for n, v in sizes.items()})

    def describe(self) -> str:
        """The problem in a line, for people."""
        return (
            f"{self.layers} layers of {self.model}, batch {self.batch}, seq {self.seq}, "
            f"{self.past} positions in the caches"
        )

    def check(self, case: Case) -> None:
        """Refuse what the kernels do not do.

        Raises:
            RuleError: names the rule.
        """
        if self.layers < 1:
            raise RuleError(f"LAYERS must be at least 1 (got {self.layers})")
        self.shape.check(case.hardware)

    def draw(self, case: Case) -> LayerInputs:
        """N(0, 1) * sigma in X, with one large channel of the first token; unit gain in the weights."""
        rng, shape = np.random.default_rng(case.seed), self.shape

        def values(*size: int) -> F64:
            return bf16_to_f32(bf16_from_float(rng.standard_normal(size))).astype(np.float64)

        def matrix(outputs: int, inputs: int) -> np.ndarray:
            return (rng.standard_normal((outputs, inputs)) / np.sqrt(inputs)).astype(np.float32)

        def norm() -> np.ndarray:
            return (1 + WEIGHT_SIGMA * rng.standard_normal(shape.hidden)).astype(np.float32)

        x = rng.standard_normal((self.batch, self.seq, shape.hidden)) * case.sigma
        if self.past == 0:
            x[:, 0, CHANNEL] = FIRST_TOKEN
        q, kv = (heads * shape.head_dim for heads in (shape.heads, shape.kv_heads))
        layers, keys, stored = [], [], []
        for _ in range(self.layers):
            projections = [matrix(q, shape.hidden), matrix(kv, shape.hidden), matrix(kv, shape.hidden)]
            output = matrix(shape.hidden, q)
            mlp = [matrix(shape.intermediate, shape.hidden) for _ in "gu"]
            down = matrix(shape.hidden, shape.intermediate)
            layers.append(LayerWeights(norm(), *projections, output, norm(), *mlp, down))
            past = (self.batch, shape.kv_heads, self.past, shape.head_dim)
            keys.append(values(*past))
            stored.append(values(*past))
        return LayerInputs(bf16_to_f32(bf16_from_float(x)).astype(np.float64), layers, keys, stored)

    def roundings(self, case: Case) -> DecoderLayerRoundings:
        """The model of the roundings on the case's data, from weights and caches as MXFP8 has them."""
        inputs, form = self.draw(case), case.hardware.hbm_format("m", 0)
        columns = self.shape.head_cols(case.hardware)

        def stored(past: list[F64]) -> list[F64]:
            return [quantised_heads(one, form, columns) for one in past] if self.past else past

        caches = stored(inputs.keys), stored(inputs.values)
        layers = tuple(self._as_read(case, weights) for weights in inputs.layers)
        config = self.config
        return DecoderLayerRoundings(
            inputs.x, form, columns, layers, *caches, config.rms_eps, config.rope_theta
        )

    def _as_read(self, case: Case, weights: LayerWeights) -> LayerWeights:
        """A layer's weights after MXFP8; every head begins a block, and so does up."""
        shape, hw = self.shape, case.hardware

        def read(name: str, values: np.ndarray) -> F64:
            exact = bf16_to_f32(bf16_from_float(values.astype(np.float64))).astype(np.float64)
            if values.ndim == 1:
                return exact
            size, columns = len(values), round_up(len(values), hw.mx_block)
            if name in "qkv":
                size, columns = shape.head_dim, shape.head_cols(hw)
            groups = exact.T.reshape(1, exact.shape[1], -1, size).transpose(0, 2, 1, 3)
            got = quantised_heads(groups, hw.hbm_format("m", 0), columns)[0]
            return got.transpose(0, 2, 1).reshape(values.shape)

        return LayerWeights(**{name: read(name, values) for name, values in vars(weights).items()})

    def place(self, case: Case, room: Room) -> Placed:
        """Everything in the order that the kernels ask for."""
        hw, shape, positions = case.hardware, self.shape, self.past + self.seq
        stack = LayerStack.place(hw, shape, self.layers, positions, room)
        shared = DecoderShared.place(hw, shape, positions, room)
        operator = DecoderLayers(hw, shape, stack, shared, room)
        return Placed(operator, shared.x, shared.x.parent.physical_cols)

    def stages(self, case: Case, placed: Placed, marks: Sequence[tuple[int, str]]) -> StagePlan:
        """Every operator of every layer, from its own inputs."""
        weights = [self._as_read(case, one) for one in self.draw(case).layers]
        return decoder_plan(placed.operator, self.config, weights, marks)

    def stage(self, case: Case, placed: Placed, images: MemoryImages) -> Answer:
        """X, all weights, the caches, tables and constants."""
        hw, shape, layers = case.hardware, self.shape, placed.operator
        inputs = self.draw(case)
        x = bf16_from_float(inputs.x.reshape(shape.rows, -1))
        stage_rows(layers.shared.x.parent, images.vram, x, shape.rows)
        stage_shared(hw, shape, layers.shared, self.config.rms_eps, self.config.rope_theta, images)
        stage_norms(layers.stack.norms, inputs.layers, images)
        for index, weights in enumerate(inputs.layers):
            tensors = layers.stack.layer(index)
            stage_layer(hw, shape, tensors, weights, images.hbm)
            stage_caches(tensors.caches, inputs.keys[index], inputs.values[index], images.hbm)
        model = self.roundings(case)
        variance = sum_of(model.variances().values())
        reach = element_tolerance(variance, model.exact)
        deviation = np.sqrt(variance + SMALLEST_NORMAL**2)
        return Answer(model.exact, (model.exact - reach, model.exact + reach), deviation=deviation)
