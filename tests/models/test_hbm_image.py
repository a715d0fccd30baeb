"""The weights' image: what the machine reads from it is the model in MXFP8, blocks along the inputs."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from plena_ref.configs.models import DECODERS
from plena_ref.golden.language_model import LayerWeights
from plena_ref.golden.mxfp8 import quantised_rows
from plena_ref.kernels.language_model.model_memory import ModelMemory
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.models.hbm_image import read_weights, write_weights
from tests.models.files import drawn_weights


def test_read_back() -> None:
    config = DECODERS["reduced"]
    memory = ModelMemory(Hardware(32, 8, hbm_bytes=1 << 20), config, positions=24, chunk=8)
    weights = drawn_weights(config)
    image = np.full(memory.limit, 0xFF, np.uint8)
    write_weights(memory, weights, image)
    found, form = read_weights(memory, weights, image), memory.hw.hbm_format("m", 0)
    for index, layer in enumerate(weights.layers):
        for part in fields(LayerWeights):
            values = getattr(layer, part.name)
            wanted = (
                quantised_rows(values, form) if values.ndim == 2 else bf16_to_f32(bf16_from_float(values))
            )
            np.testing.assert_array_equal(getattr(found.layers[index], part.name), wanted, part.name)
    np.testing.assert_array_equal(found.head, quantised_rows(weights.head, form))
    for layer in memory.layers:
        for cache in (*layer.keys, *layer.values):
            assert not image[cache.base : cache.base + cache.footprint].any()
