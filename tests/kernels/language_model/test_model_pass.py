"""Passes of a small decoder on the reference machine, against float64 on the same quantised weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from plena_ref.configs.models import DECODERS
from plena_ref.golden.language_model import ModelWeights
from plena_ref.kernels.language_model.decoder_layers import KEY_TILES, PassShape
from plena_ref.kernels.language_model.model_memory import ModelMemory
from plena_ref.kernels.language_model.model_pass import ModelPass
from plena_ref.kernels.language_model.tile_stream import TileStream
from plena_ref.kernels.language_model.weight_tiles import model_panels
from plena_ref.kernels.layout.rules import LayoutError
from plena_ref.kernels.program import Program
from plena_ref.kernels.rules import KernelError
from plena_ref.machine.hardware import Hardware
from plena_ref.models.hbm_image import read_weights, write_weights
from plena_ref.models.staging import stage_rotation
from tb.chat.judge import Judge
from tb.chat.machines import Reference, first_images, make_pass
from tests.models.files import drawn_weights

CONFIG = DECODERS["reduced"]
#: Tokens of the passes: a prompt, one token, a few more, one.
PASSES = ([3, 1, 4, 1, 5, 9, 2, 95], [0], [3, 5, 8], [7])


#: A prompt that outgrows the key tiles which attention keeps, at MLEN 8.
LONG = ([3, 1, 4, 1, 5, 9, 2, 95],) * 5 + ([7],)


def _memory(mlen: int, blen: int, positions: int = 24, **values: int) -> ModelMemory:
    sizes = {"hbm_bytes": 1 << 20, "vram_elems": 1 << 17, **values}
    return ModelMemory(Hardware(mlen, blen, **sizes), CONFIG, positions, chunk=8)


def _answer(
    memory: ModelMemory,
    weights: ModelWeights,
    machine_weights: ModelWeights,
    passes: Sequence[list[int]] = PASSES,
) -> list[bool]:
    """Run passes with one model on the machine and judge by the other; which passes are right."""
    image = np.zeros(memory.limit, np.uint8)
    write_weights(memory, weights, image)
    stage_rotation(memory, image)
    judge = Judge(read_weights(memory, weights, image), weights, memory.hw.hbm_format("v", 0))
    write_weights(memory, machine_weights, image)
    reference = Reference(memory, first_images(memory, machine_weights, image))
    passed, position = [], 0
    for tokens in passes:
        made = make_pass(memory, len(tokens), position)
        report = reference.run(made, tokens)
        assert (report.status, report.cause) == ("stopped", None)
        passed.append(judge.expect(tokens).judge(reference.logits(len(tokens))).passed)
        position += len(tokens)
        first, stop = reference.take_written()
        caches = [cache for layer in memory.layers for cache in (*layer.keys, *layer.values)]
        assert caches[0].base <= first < stop <= caches[-1].base + caches[-1].footprint
    return passed


@pytest.mark.parametrize(
    ("mlen", "blen", "tiles"), [(32, 8, 16), (32, 32, 64), (16, 4, 40), (16, 16, 64), (8, 4, 200)]
)
def test_passes_are_as_accurate_as_predicted(mlen: int, blen: int, tiles: int) -> None:
    weights = drawn_weights(CONFIG)
    assert _answer(_memory(mlen, blen, msram_tiles=tiles), weights, weights) == [True] * len(PASSES)


def test_a_cache_longer_than_attention_keeps() -> None:
    weights, memory = drawn_weights(CONFIG), _memory(8, 4, positions=48, msram_tiles=200)
    assert len(LONG) * 8 > KEY_TILES * memory.hw.mlen
    assert _answer(memory, weights, weights, LONG) == [True] * len(LONG)


def _swap_gate_and_up(layer: int, weights: ModelWeights) -> ModelWeights:
    old = weights.layers[layer]
    changed = dataclasses.replace(old, gate=old.up, up=old.gate)
    layers = tuple(changed if index == layer else kept for index, kept in enumerate(weights.layers))
    return dataclasses.replace(weights, layers=layers)


def _change(part: str, how: str, weights: ModelWeights) -> ModelWeights:
    old = weights.layers[1]
    values = getattr(old, part)
    values = np.ones_like(values) if how == "ones" else np.roll(values, 16, axis=0)
    return dataclasses.replace(
        weights, layers=(weights.layers[0], dataclasses.replace(old, **{part: values}))
    )


@pytest.mark.parametrize(
    ("what", "mutate"),
    [
        ("gate and up change places", lambda weights: _swap_gate_and_up(1, weights)),
        ("a norm weight is left out", lambda weights: _change("mlp_norm", "ones", weights)),
        ("v is half a head off", lambda weights: _change("v", "roll", weights)),
        ("k is half a head off", lambda weights: _change("k", "roll", weights)),
    ],
)
def test_a_wrong_model_fails(what: str, mutate: object) -> None:
    weights = drawn_weights(CONFIG)
    assert not all(_answer(_memory(32, 8, msram_tiles=16), weights, mutate(weights))), what


def test_the_listing_is_the_program_and_names_layer_and_operator() -> None:
    from plena_ref.isa.assembler import assemble

    memory = _memory(32, 8)
    program = Program(memory.hw)
    ModelPass(memory, PassShape(3, 4)).emit(program)
    words, listing = program.finish()
    assert assemble(listing) == words
    for name in (
        "layer 0 attention norm: RMSNorm",
        "layer 1 head 0 of K and V: ",
        "layer 1: down, outputs 32",
    ):
        assert f"; {name}" in listing


def test_what_is_refused() -> None:
    memory = _memory(32, 8)
    with pytest.raises(KernelError, match="a pass has 1 to 8 tokens"):
        ModelPass(memory, PassShape(9, 0))
    with pytest.raises(KernelError, match="positions up to 24 do not fit caches of 24"):
        ModelPass(memory, PassShape(1, 24))
    with pytest.raises(KernelError, match="head_dim = 32 of the model must be a multiple of MLEN = 64"):
        _memory(64, 16)
    with pytest.raises(KernelError, match="the weights need MSRAM_TILES > 6"):
        ModelPass(_memory(32, 8, msram_tiles=6), PassShape(1, 0))
    with pytest.raises(LayoutError, match=r"VRAM is full: .* VRAM_ELEMS = 4096"):
        _memory(32, 8, vram_elems=4096)
    with pytest.raises(LayoutError, match=r"HBM is full: the weights .* HBM_BYTES = 65536"):
        _memory(32, 8, hbm_bytes=1 << 16)


def test_every_tile_is_fetched_once_and_before_its_products() -> None:
    memory = _memory(32, 8, msram_tiles=16)
    stream = TileStream(memory.hw, memory.weights, list(model_panels(memory.hw, CONFIG)), 8)
    program = Program(memory.hw)
    with program.hbm_base("tiles") as base:
        stream.begin(program, base)
        stream.prepare()
        for _ in model_panels(memory.hw, CONFIG):
            count = stream.plan()
            assert count <= stream.ring - stream.lead
            stream.fetch(count)
            tiles = stream.next_panel()
            assert tiles.stop <= stream.fetched
    assert stream.fetched == stream.used == memory.weights.count
