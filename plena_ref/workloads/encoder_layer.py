"""A vision encoder layer of a model: sizes from its record, seeded weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plena_ref.analysis.encoder_layer_roundings import EncoderLayerRoundings
from plena_ref.analysis.gelu_formula import FORMULAS
from plena_ref.analysis.roundings import round_to_bf16
from plena_ref.configs.models import ENCODERS, EncoderConfig
from plena_ref.golden.attention import softmax_scale
from plena_ref.golden.mxfp8 import quantised_heads
from plena_ref.golden.vision_encoder import Affine, EncoderWeights
from plena_ref.kernels.attention.constants import FP_NEG_INF, FP_SCALE, FP_ZERO
from plena_ref.kernels.encoder_layer import EncoderLayer, EncoderShape, EncoderTensors
from plena_ref.kernels.gelu import GeluKernel
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.linear import features_together
from plena_ref.kernels.rms_norm import EPSILON, INVERSE
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.stages import StagePlan
from plena_ref.workloads.base import F64, Answer, Placed
from plena_ref.workloads.encoder_stages import GELU, EncoderStages
from plena_ref.workloads.encoder_staging import Part, rows_with_padding, stage_parts
from plena_ref.workloads.gelu import constants_of, stage_constants
from plena_ref.workloads.layer_problem import LayerProblem, record_of
from plena_ref.workloads.norm_problem import WEIGHT_SIGMA
from plena_ref.workloads.placement import stage_rows

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case

#: Standard deviation of the biases.
BIAS_SIGMA = 0.25


@dataclass(frozen=True)
class EncoderProblem(LayerProblem[EncoderLayer]):
    """X after one encoder layer.

    Attributes:
        model: which record of `plena_ref.configs.models.ENCODERS` has the sizes.
        batch, seq: images, and patches of each.
    """

    kernels: ClassVar = {"encoder_layer": EncoderLayer}

    @property
    def config(self) -> EncoderConfig:
        """The record; `RuleError` where there is none of that name."""
        return record_of(ENCODERS, self.model)

    @property
    def shape(self) -> EncoderShape:
        """The problem as the kernels see it."""
        own = {"batch": self.batch, "seq": self.seq}
        names = [entry.name for entry in fields(EncoderShape) if entry.name not in own]
        return EncoderShape(**own, **{name: getattr(self.config, name) for name in names})

    def describe(self) -> str:
        """The problem in a line, for people."""
        return f"vision encoder layer of {self.model}, batch {self.batch}, seq {self.seq}"

    def check(self, case: Case) -> None:
        """Refuse what the kernels do not do (`RuleError`)."""
        self.shape.check(case.hardware)

    def draw(self, case: Case) -> tuple[F64, EncoderWeights]:
        """X, batch x seq x hidden, N(0, 1)*sigma; weights of unit gain, biases; all bf16 values."""
        rng, shape = np.random.default_rng(case.seed), self.shape

        def affine(weight: F64) -> Affine:
            bias = rng.standard_normal(len(weight)) * BIAS_SIGMA
            return Affine(round_to_bf16(weight), round_to_bf16(bias))

        def layer(outputs: int, inputs: int) -> Affine:
            return affine(rng.standard_normal((outputs, inputs)) / np.sqrt(inputs))

        def norm() -> Affine:
            return affine(1 + WEIGHT_SIGMA * rng.standard_normal(shape.hidden))

        x = round_to_bf16(rng.standard_normal((self.batch, self.seq, shape.hidden)) * case.sigma)
        heads, hidden = shape.heads * shape.head_dim, shape.hidden
        q, k, v = (layer(heads, hidden) for _ in "qkv")
        weights = EncoderWeights(
            norm(),
            q,
            k,
            v,
            layer(hidden, heads),
            norm(),
            layer(shape.intermediate, hidden),
            layer(hidden, shape.intermediate),
        )
        return x, weights

    def _as_read(self, case: Case, weights: EncoderWeights) -> EncoderWeights:
        """The weights after MXFP8; every head begins a block."""
        hw, shape = case.hardware, self.shape

        def read(name: str, layer: Affine) -> Affine:
            if layer.weight.ndim == 1:
                return layer
            size, columns = len(layer.weight), round_up(len(layer.weight), hw.mx_block)
            if name in "qkv":
                size, columns = shape.head_dim, shape.head_cols(hw)
            groups = layer.weight.T.reshape(1, layer.weight.shape[1], -1, size).transpose(0, 2, 1, 3)
            got = quantised_heads(groups, hw.hbm_format("m", 0), columns)[0]
            return Affine(got.transpose(0, 2, 1).reshape(layer.weight.shape), layer.bias)

        return EncoderWeights(**{name: read(name, layer) for name, layer in vars(weights).items()})

    def roundings(self, case: Case) -> EncoderLayerRoundings:
        """The model of the roundings on the case's data, from weights as MXFP8 has them."""
        x, weights = self.draw(case)
        hw, config = case.hardware, self.config
        form, columns = hw.hbm_format("m", 0), self.shape.head_cols(hw)
        return EncoderLayerRoundings(
            x, form, columns, self._as_read(case, weights), config.head_dim, config.norm_eps
        )

    def place(self, case: Case, room: Room) -> Placed[EncoderLayer]:
        """Everything in the order that the kernels ask for."""
        hw, shape, formula = case.hardware, self.shape, FORMULAS[GELU]
        terms = len(formula.coefficients)
        own = EncoderTensors.place(hw, shape, terms, constants_of(formula), room)
        return Placed.as_head(EncoderLayer(hw, shape, own, room), own.x)

    def stages(self, case: Case, placed: Placed[EncoderLayer], marks: Sequence[tuple[int, str]]) -> StagePlan:
        """Every operator of the layer, from its own inputs."""
        weights = self._as_read(case, self.draw(case)[1])
        return EncoderStages(placed.operator, self.config, weights).plan(marks)

    def stage(self, case: Case, placed: Placed[EncoderLayer], images: MemoryImages) -> Answer:
        """X, all weights, zeros where K and V go, and constants."""
        layer, shape = placed.operator, self.shape
        x, weights = self.draw(case)
        rows = shape.batch * shape.seq
        stage_rows(layer.own.x.parent, images.vram, bf16_from_float(x.reshape(rows, -1)), rows)
        self._stage_weights(layer, weights, images)
        for cache in (layer.own.caches.k, layer.own.caches.v):
            images.hbm[cache.base : cache.base + cache.footprint] = 0
        self._stage_constants(layer, images)
        return self.answer(case)

    def _stage_weights(self, layer: EncoderLayer, weights: EncoderWeights, images: MemoryImages) -> None:
        hw, shape, own = layer.hw, self.shape, layer.own
        head, head_cols = shape.head_dim, shape.head_cols(hw)
        hidden, mlp = (round_up(size, hw.mlen) for size in (shape.hidden, shape.intermediate))
        parts = {
            "qkv": [(one, head, head_cols) for one in (weights.q, weights.k, weights.v)],
            "projection": [(weights.o, shape.hidden, hidden)],
            "up": [(weights.up, shape.intermediate, mlp)],
            "down": [(weights.down, shape.hidden, hidden)],
        }
        for name, given in parts.items():
            matrices, biases = [], []
            for one, size, columns in given:
                matrix = (
                    rows_with_padding(one.weight, head, head_cols) if name == "projection" else one.weight
                )
                matrices.append(Part(matrix, size, columns))
                biases.append(Part(one.bias[:, None], size, columns).spread()[0])
            together = features_together(hw, shape.layers(hw)[name])
            stage_parts(matrices, own.panels[name], together, images.hbm)
            bias = bf16_from_float(np.concatenate(biases).astype(np.float64))
            stage_rows(own.biases[name], images.vram, bias[None], 1)
        for name, norm in (("attention norm", weights.attention_norm), ("mlp norm", weights.mlp_norm)):
            for tensor, values in zip(own.norms[name], (norm.weight, norm.bias), strict=True):
                stage_rows(tensor, images.vram, bf16_from_float(values)[None], 1)

    def _stage_constants(self, layer: EncoderLayer, images: MemoryImages) -> None:
        norm, attention = layer.own.norm_constants, layer.own.attention_constants
        constants = {
            norm + INVERSE: 1 / self.shape.hidden,
            norm + EPSILON: self.config.norm_eps,
            attention + FP_ZERO: 0.0,
            attention + FP_SCALE: softmax_scale(self.shape.head_dim),
            attention + FP_NEG_INF: -np.inf,
        }
        for word, value in constants.items():
            images.fpmem[word] = bf16_from_float(np.float64(value))
        gelu = next(stage.operator for stage in layer.stages if stage.name == "activation")
        assert isinstance(gelu, GeluKernel)
        stage_constants(gelu, FORMULAS[GELU], images)
