"""The stages of a pass of a model for `plena_ref.verdict.stages`: layers, embedding, final norm, head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plena_ref.golden.language_model import ModelWeights
from plena_ref.kernels.language_model.decoder_layers import DecoderLayers
from plena_ref.kernels.language_model.layer_step import LayerStep
from plena_ref.kernels.language_model.model_memory import ModelMemory
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.stages import Stage, StagePlan
from plena_ref.workloads.base import F64
from plena_ref.workloads.decoder_stages import DecoderStages, norm_parts, product_parts
from plena_ref.workloads.layer_stages import rows_of

#: The layer, in words, of what belongs to none.
OUTSIDE = "outside the layers"


@dataclass(frozen=True)
class ModelStages:
    """Makes the stages of one pass.

    Attributes:
        memory: where everything lies.
        layers: the program; its steps are those of the whole pass.
        weights: as the machine reads them.
    """

    memory: ModelMemory
    layers: DecoderLayers
    weights: ModelWeights

    def plan(self, marks: Sequence[tuple[int, str]]) -> StagePlan:
        """The stages of all steps, by the marks of the program."""
        inside = DecoderStages(self.layers, self.weights.layers)
        stages = [
            [self._outside(step)] if step.layer is None else inside.of_step(step)
            for step in self.layers.steps
        ]
        return StagePlan([pc for pc, _ in marks], [stages])

    def _outside(self, step: LayerStep) -> Stage:
        """A step that belongs to no layer."""
        memory, hw = self.memory, self.layers.hw
        x, normed = (
            rows_of(self.layers.batched(tensor), memory.config.hidden) for tensor in (memory.x, memory.normed)
        )
        if step.name == "embedding":
            parts = (self._ids,), x, self._embedded, lambda ids: np.zeros_like(self._embedded(ids))
            return Stage(OUTSIDE, step.name, "embedding", *parts)
        if step.name == "final norm":
            norm = norm_parts(x, normed, self.weights.final_norm, memory.config.rms_eps, hw.mlen)
            return Stage(OUTSIDE, step.name, "RMSNorm", *norm)
        columns = memory.logits.column_view(step.first, step.count)
        logits = rows_of(self.layers.batched(columns), step.count)
        head = product_parts(normed, logits, self.weights.head[step.first : step.first + step.count])
        return Stage(OUTSIDE, "output head", "product", *head, column=step.first)

    def _ids(self, images: MemoryImages) -> F64:
        """The token ids that the program reads."""
        return images.intmem[self.memory.ids :][: self.layers.rows].astype(np.float64)

    def _embedded(self, ids: F64) -> F64:
        rows: F64 = self.weights.embedding[ids.astype(int)].astype(np.float64)[None]
        return rows
