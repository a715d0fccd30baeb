"""Decoder layers of a model: sizes from its record, seeded weights, prefill or after a cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plena_ref.analysis.decoder_layer_roundings import DecoderLayerRoundings
from plena_ref.analysis.roundings import round_to_bf16
from plena_ref.configs.models import DECODERS, DecoderConfig
from plena_ref.golden.language_model import LayerWeights
from plena_ref.golden.mxfp8 import quantised_heads, quantised_rows
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.language_model.decoder_layers import DecoderLayers, PassShape
from plena_ref.kernels.language_model.decoder_memory import DecoderMemory
from plena_ref.kernels.language_model.weight_tiles import stack_panels
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import round_up
from plena_ref.kernels.rules import check_fields
from plena_ref.machine.numerics import F32, bf16_from_float
from plena_ref.machine.rules import RuleError
from plena_ref.machine.state import MemoryImages
from plena_ref.models.hbm_image import write_panels
from plena_ref.models.staging import stage_layers, stage_rope, stage_rotation
from plena_ref.verdict.stages import StagePlan
from plena_ref.workloads.base import F64, Answer, Placed
from plena_ref.workloads.decoder_stages import DecoderStages
from plena_ref.workloads.layer_problem import LayerProblem, record_of
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
class DecoderLayer(LayerProblem[DecoderLayers]):
    """X after some decoder layers.

    Attributes:
        model: which record of `plena_ref.configs.models.DECODERS` has the sizes.
        batch, seq: sequences, and new positions of each.
        layers: how many layers there are; the second reads what the first left.
        past: positions that the caches hold before.
    """

    layers: int = 1
    past: int = 0

    kernels: ClassVar = {"decoder_layer": DecoderLayers}

    @property
    def config(self) -> DecoderConfig:
        """The record; `RuleError` where there is none of that name."""
        return record_of(DECODERS, self.model)

    def describe(self) -> str:
        """The problem in a line, for people."""
        return (
            f"{self.layers} layers of {self.model}, batch {self.batch}, seq {self.seq}, "
            f"{self.past} positions in the caches"
        )

    def check(self, case: Case) -> None:
        """Refuse sizes below 1, a cache of fewer than no positions, and what attention does not do."""
        check_fields(self, "layers", "batch", "seq")
        if self.past < 0:
            raise RuleError(f"PAST must not be negative (got {self.past})")
        self._attention.check(case.hardware)

    @property
    def _attention(self) -> AttentionShape:
        """Attention of the new positions to all."""
        config, kv_seq = self.config, self.past + self.seq
        return AttentionShape(
            self.batch, self.seq, kv_seq, config.heads, config.head_dim, True, True, config.kv_heads
        )

    def draw(self, case: Case) -> LayerInputs:
        """N(0, 1) * sigma in X, with one large channel of the first token; unit gain in the weights."""
        rng, shape = np.random.default_rng(case.seed), self.config

        def values(*size: int) -> F64:
            return round_to_bf16(rng.standard_normal(size))

        def matrix(outputs: int, inputs: int) -> F32:
            weights: F32 = (rng.standard_normal((outputs, inputs)) / np.sqrt(inputs)).astype(np.float32)
            return weights

        def norm() -> F32:
            return (1 + WEIGHT_SIGMA * rng.standard_normal(shape.hidden)).astype(np.float32)

        x = rng.standard_normal((self.batch, self.seq, shape.hidden)) * case.sigma
        if self.past == 0:
            x[:, 0, CHANNEL] = FIRST_TOKEN
        q, kv = (heads * shape.head_dim for heads in (shape.heads, shape.kv_heads))
        layers, keys, stored = [], [], []
        for _ in range(self.layers):
            of_q, of_k, of_v = (matrix(outputs, shape.hidden) for outputs in (q, kv, kv))
            output = matrix(shape.hidden, q)
            gate, up = (matrix(shape.intermediate, shape.hidden) for _ in "gu")
            down = matrix(shape.hidden, shape.intermediate)
            layers.append(LayerWeights(norm(), of_q, of_k, of_v, output, norm(), gate, up, down))
            past = (self.batch, shape.kv_heads, self.past, shape.head_dim)
            keys.append(values(*past))
            stored.append(values(*past))
        return LayerInputs(round_to_bf16(x), layers, keys, stored)

    def roundings(self, case: Case) -> DecoderLayerRoundings:
        """The model of the roundings on the case's data, from weights and caches as MXFP8 has them."""
        inputs, form = self.draw(case), case.hardware.hbm_format("m", 0)
        columns = round_up(self.config.head_dim, case.hardware.mlen)

        def stored(past: list[F64]) -> list[F64]:
            return [quantised_heads(one, form, columns) for one in past] if self.past else past

        caches = stored(inputs.keys), stored(inputs.values)
        layers = tuple(self._as_read(case, weights) for weights in inputs.layers)
        config = self.config
        return DecoderLayerRoundings(
            inputs.x, form, columns, layers, *caches, config.rms_eps, config.rope_theta
        )

    def _as_read(self, case: Case, weights: LayerWeights) -> LayerWeights:
        """A layer's weights after MXFP8, blocks along the inputs; every head of o's begins one."""
        form, head = case.hardware.hbm_format("m", 0), self.config.head_dim

        def read(name: str, values: np.ndarray) -> F64:
            exact = round_to_bf16(values.astype(np.float64))
            if values.ndim == 1:
                return exact
            groups = exact.reshape(len(exact), -1, head) if name == "o" else exact
            return quantised_rows(groups, form).reshape(values.shape)

        return LayerWeights(**{name: read(name, values) for name, values in vars(weights).items()})

    def place(self, case: Case, room: Room) -> Placed[DecoderLayers]:
        """Weights, caches and activations; the program is one pass of all layers."""
        hw, config = case.hardware, self.config
        panels = stack_panels(hw, config, self.layers)
        sizes = (self.layers, self.batch, self.seq, self.past + self.seq)
        operator = DecoderLayers(
            DecoderMemory(hw, config, panels, *sizes, room), PassShape(self.seq, self.past)
        )
        x = operator.batched(operator.memory.x)
        return Placed.as_head(operator, x)

    def stages(
        self, case: Case, placed: Placed[DecoderLayers], marks: Sequence[tuple[int, str]]
    ) -> StagePlan:
        """Every operator of every layer, from its own inputs."""
        weights = [self._as_read(case, one) for one in self.draw(case).layers]
        stages = DecoderStages(placed.operator, weights)
        return StagePlan([pc for pc, _ in marks], [stages.of_steps(placed.operator.steps)])

    def stage(self, case: Case, placed: Placed[DecoderLayers], images: MemoryImages) -> Answer:
        """X, all weights, the caches, tables and constants."""
        memory, inputs = placed.operator.memory, self.draw(case)
        rows = self.batch * self.seq
        stage_rows(memory.x, images.vram, bf16_from_float(inputs.x.reshape(rows, -1)), rows)
        write_panels(memory, inputs.layers, None, images.hbm)
        stage_layers(memory, inputs.layers, images)
        stage_rotation(memory, images.hbm)
        stage_rope(memory, self.past, images)
        for layer, keys, values in zip(memory.layers, inputs.keys, inputs.values, strict=True):
            _stage_caches(layer.keys, keys, memory.rows_per_batch, images)
            _stage_caches(layer.values, values, memory.rows_per_batch, images)
        return self.answer(case)


def _stage_caches(caches: Sequence[HbmTensor], past: F64, rows_per_batch: int, images: MemoryImages) -> None:
    """Past positions at the start of every batch's cache, zeros after them.

    Args:
        caches: one for each head of K or V.
        past: batch x kv_heads x positions x head_dim, bf16 values.
        rows_per_batch: rows of a cache from batch to batch.
        images: the memories.
    """
    batch, _, positions, head_dim = past.shape
    for head, cache in enumerate(caches):
        rows = np.zeros((batch, rows_per_batch, cache.cols))
        rows[:, :positions, :head_dim] = past[:, head]
        cache.store(images.hbm, bf16_from_float(rows.reshape(-1, cache.cols)))
