"""Decoder layers on the reference machine: prefill and after a cache, several layers, what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.kernels.layout.room import Room
from plena_ref.verdict.accuracy import result_values
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from tests.kernels.checking import check, hardware, run


def layer(mlen: int = 16, blen: int = 4, **values: object) -> Case:
    """A case on a machine with small memories."""
    values = {"model": "reduced", "sigma": 1.0, **values}
    machine = hardware(mlen, blen, **values.pop("machine", {}))
    return make_case("layer", hardware=machine, kernel="decoder_layer", **values)


@pytest.mark.parametrize(("mlen", "blen"), [(8, 4), (32, 8), (64, 16)])
@pytest.mark.parametrize(("seq", "past"), [(1, 37), (4, 0), (17, 37)])
def test_prefill_and_after_a_cache(mlen: int, blen: int, seq: int, past: int) -> None:
    """Heads of 32 features are below, equal to and above MLEN."""
    check(layer(mlen, blen, batch=2, seq=seq, past=past))


def test_the_second_layer_reads_what_the_first_left() -> None:
    """The caches of both hold the new positions, and the result is not that of one layer."""
    both = layer(layers=2, batch=2, seq=3, past=5)
    together = build(both)
    whole = run(together)
    one = layer(layers=1, batch=2, seq=3, past=5)
    workload = build(one)
    first = run(workload)
    inputs = both.problem.draw(both)
    middle = result_values(workload, first.images.vram)
    assert (inputs.layers[0].q == one.problem.draw(one).layers[0].q).all()
    assert not np.array_equal(middle, result_values(together, whole.images.vram))
    memory = both.problem.place(both, Room(both.hardware, 1 << 12)).operator.memory
    for places in memory.layers:
        k = places.keys[0]
        written = whole.written.hbm[k.base : k.base + k.element_bytes].reshape(2, -1, k.cols).any(axis=2)
        assert written[:, 5:9].all() and not written[:, :5].any() and not written[:, 9:].any()
    check(both)


def test_heads_of_keys_and_values_have_caches_of_their_own() -> None:
    """Three of them, of the real sizes, behind a cache; two batches."""
    check(
        make_case(
            "true",
            hardware=hardware(64, 64, vram_elems=1 << 20, hbm_bytes=1 << 23),
            kernel="decoder_layer",
            sigma=1.0,
            batch=2,
            seq=2,
            past=3,
        )
    )


def test_the_listing_names_layer_and_operator() -> None:
    listing = build(layer(layers=2, seq=2)).listing
    for stage in (
        "layer 0 attention norm: RMSNorm",
        "layer 1: q, outputs 16",
        "layer 0 heads 0 to 0: RoPE",
        "layer 1: q, k, v to the cache",
        "layer 0 SwiGLU: SwiGLU",
    ):
        assert f"; {stage}" in listing


def test_a_small_matrix_memory_leaves_attention_fewer_key_tiles() -> None:
    """Panels of 8 tiles leave room for 3 key tiles of 4 tiles, or for one; never for none."""
    for tiles, key_tiles in ((64, 4), (21, 3), (13, 1)):
        case = layer(seq=3, past=70, **{"machine": {"msram_tiles": tiles}})
        operator = case.problem.place(case, Room(case.hardware, 1 << 12)).operator
        assert operator.attention_hw.msram_tiles == 4 * key_tiles
        check(case)


@pytest.mark.parametrize(
    ("machine", "values", "message"),
    [
        ({"vram_elems": 1 << 12}, {"seq": 16}, r"VRAM is full: .* VRAM_ELEMS = 4096"),
        ({"hbm_bytes": 1 << 16}, {"layers": 3}, r"HBM is full: .* HBM_BYTES = 65536"),
        ({"msram_tiles": 12}, {}, r"the weights need MSRAM_TILES > 12, .* \(got 12\)"),
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
