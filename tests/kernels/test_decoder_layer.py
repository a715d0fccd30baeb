"""Decoder layers on the reference machine: prefill and after a cache, layers in a loop, what does not fit."""

from __future__ import annotations

import re

import numpy as np
import pytest

from plena_ref.kernels.decoder_layer import DecoderShared
from plena_ref.kernels.layer_stack import LayerStack
from plena_ref.kernels.layout.room import Room
from plena_ref.verdict.accuracy import result_values
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from tests.kernels.checking import check, hardware, run


def layer(mlen: int = 16, blen: int = 4, **values: object) -> Case:
    """A case on a machine with small memories."""
    values = {"model": "reduced", "sigma": 1.0, **values}
    return make_case("layer", hardware=hardware(mlen, blen), kernel="decoder_layer", **values)


@pytest.mark.parametrize(("mlen", "blen"), [(8, 4), (32, 8), (64, 16)])
@pytest.mark.parametrize(("seq", "past"), [(1, 37), (4, 0), (17, 37)])
def test_prefill_and_after_a_cache(mlen: int, blen: int, seq: int, past: int) -> None:
    """Heads of 32 features are below, equal to and above MLEN."""
    check(layer(mlen, blen, batch=2, seq=seq, past=past))


def test_the_second_layer_reads_what_the_first_left() -> None:
    """Layers in a loop come to the bits of two programs, the second staged with the result of the first."""
    both = layer(layers=2, batch=2, seq=3, past=5)
    together = build(both)
    loop = run(together)
    one = layer(layers=1, batch=2, seq=3, past=5)
    workload = build(one)
    first = run(workload)
    inputs = both.problem.draw(both)
    middle = result_values(workload, first.images.vram)
    assert (inputs.layers[0].q == one.problem.draw(one).layers[0].q).all()
    assert not np.array_equal(middle, result_values(together, loop.images.vram))
    stack = together.case.problem.place(both, Room(both.hardware, 1 << 12)).operator.stack
    for index in range(2):
        k = stack.layer(index).caches.k
        written = loop.written.hbm[k.base : k.base + k.element_bytes].reshape(2, -1, k.cols).any(axis=2)
        assert written[:, 5:9].all() and not written[:, :5].any() and not written[:, 9:].any()
    check(both)


def test_places_do_not_depend_on_the_pass() -> None:
    """A prefill and a decode step of the same model find weights, caches and tables in the same places."""
    hw = hardware(16, 4)
    places = []
    for seq, past in ((16, 0), (1, 21)):
        shape = layer(seq=seq, past=past).problem.shape
        room = Room(hw, 1 << 12)
        stack = LayerStack.place(hw, shape, 3, 40, room)
        shared = DecoderShared.place(hw, shape, 40, room)
        places.append((stack, shared.rope, shared.norm_constants, shared.x.parent.base))
    assert places[0] == places[1]


def test_the_listing_names_layer_and_operator() -> None:
    listing = build(layer(layers=2, seq=2)).listing
    for stage in ("attention norm: RMSNorm", "qkv: linear", "rope: RoPE", "k cache:", "activation: SwiGLU"):
        assert re.search(rf"; layers 0 to 1, {stage}", listing)


@pytest.mark.parametrize(
    ("machine", "values", "message"),
    [
        ({"vram_elems": 1 << 12}, {"seq": 16}, r"VRAM is full: .* VRAM_ELEMS = 4096"),
        ({"hbm_bytes": 1 << 16}, {"layers": 3}, r"HBM is full: .* HBM_BYTES = 65536"),
        ({"int_words": 4}, {}, r"INT_MEM is full: .* INT_WORDS = 4"),
        ({}, {"model": "huge"}, r"MODEL must be one of smolvlm2, reduced \(got huge\)"),
        ({}, {"past": -1}, r"PAST must not be negative \(got -1\)"),
        ({}, {"layers": 0}, r"LAYERS must be at least 1 \(got 0\)"),
    ],
)
def test_what_does_not_fit_says_what_to_raise(
    machine: dict[str, int], values: dict[str, object], message: str
) -> None:
    with pytest.raises(CaseError, match=message):
        values = {"model": "reduced", **values}
        build(make_case("l", hardware=hardware(16, 4, **machine), kernel="decoder_layer", **values))
