"""Machine shapes: defaults, derived values, and the rule each refused shape breaks."""

from __future__ import annotations

import dataclasses

import pytest

from plena_ref.machine.hardware import Hardware, HardwareError


def test_defaults() -> None:
    hardware = Hardware()
    assert (hardware.mlen, hardware.blen, hardware.hlen) == (64, 16, 64)
    assert (hardware.vram_elems, hardware.msram_tiles) == (1 << 20, 64)
    assert (hardware.fp_words, hardware.int_words, hardware.hbm_bytes) == (1024, 1024, 64 << 20)
    assert (hardware.vpref, hardware.vstore, hardware.mx_block, hardware.loop_depth) == (16, 16, 8, 8)
    assert (hardware.p, hardware.lanes, hardware.tile_elems, hardware.vram_rows) == (4, 1, 4096, 16384)


def test_dependent_defaults_follow_the_shape() -> None:
    hardware = Hardware(mlen=16, blen=4, hlen=2)
    assert (hardware.vpref, hardware.vstore, hardware.p, hardware.lanes) == (4, 4, 4, 8)
    assert Hardware(mlen=32, blen=8).hlen == 32
    assert Hardware(vpref=1, vstore=3).vpref == 1


def test_frozen_and_hashable() -> None:
    hardware = Hardware()
    with pytest.raises(dataclasses.FrozenInstanceError):
        hardware.mlen = 8
    assert hardware == Hardware(hlen=64, vpref=16, vstore=16)
    assert len({hardware, Hardware(hlen=64)}) == 1


@pytest.mark.parametrize("mlen", [8, 16, 32, 64, 128, 256])
def test_every_supported_shape(mlen: int) -> None:
    blen = 4
    while blen <= mlen:
        assert Hardware(mlen=mlen, blen=blen).p * blen == mlen
        blen *= 2


def test_rtl_parameters_name_everything_but_the_memory_outside() -> None:
    assert Hardware().rtl_parameters() == {
        "MLEN": 64,
        "BLEN": 16,
        "HLEN": 64,
        "VRAM_ELEMS": 1 << 20,
        "MSRAM_TILES": 64,
        "FP_WORDS": 1024,
        "INT_WORDS": 1024,
        "VPREF": 16,
        "VSTORE": 16,
        "MX_BLOCK": 8,
        "LOOP_DEPTH": 8,
        "DISPATCH_WIDTH": 2,
    }


REFUSED = [
    ({"blen": 32, "mlen": 16}, "BLEN must not exceed MLEN (got blen = 32, mlen = 16)"),
    ({"mlen": 48}, "MLEN must be a power of two"),
    ({"blen": 12}, "BLEN must be a power of two"),
    ({"hlen": 24}, "HLEN must be a power of two"),
    ({"mlen": 4, "blen": 4}, "MLEN must lie in 8..256"),
    ({"mlen": 512}, "MLEN must lie in 8..256"),
    ({"mlen": 0}, "MLEN must be a power of two"),
    ({"mlen": -64}, "MLEN must be a power of two"),
    ({"blen": 2}, "BLEN must be at least 4"),
    ({"hlen": 128}, "HLEN must not exceed MLEN"),
    ({"hlen": 1}, "LANES = MLEN/HLEN must not exceed 32"),
    ({"mx_block": 4}, "MX_BLOCK must lie in 8..64"),
    ({"mx_block": 12}, "MX_BLOCK must be a power of two"),
    ({"mx_block": 32, "mlen": 16}, "MX_BLOCK must not exceed MLEN"),
    ({"loop_depth": 0}, "LOOP_DEPTH must lie in 1..255"),
    ({"loop_depth": 256}, "LOOP_DEPTH must lie in 1..255"),
    ({"dispatch_width": 0}, "DISPATCH_WIDTH must be 1 or 2"),
    ({"dispatch_width": 3}, "DISPATCH_WIDTH must be 1 or 2"),
    ({"vram_elems": 1000}, "VRAM_ELEMS must be a positive multiple of 8*MLEN = 512"),
    ({"vram_elems": 0}, "VRAM_ELEMS must be a positive multiple"),
    ({"vram_elems": 1 << 32}, "VRAM_ELEMS must not exceed 2^29"),
    ({"msram_tiles": 0}, "MSRAM_TILES must be at least 1"),
    ({"msram_tiles": 1 << 20}, "MSRAM_TILES*MLEN*MLEN must not exceed 2^29"),
    ({"fp_words": 64}, "FP_WORDS must be a positive multiple of 2*MLEN = 128"),
    ({"fp_words": 1 << 25}, "FP_WORDS must not exceed 2^24"),
    ({"int_words": 1}, "INT_WORDS must lie in 2..2^24"),
    ({"vpref": 0}, "VPREF must lie in 1..16384"),
    ({"vstore": 1 << 20}, "VSTORE must lie in 1..16384"),
    ({"hbm_bytes": 100}, "HBM_BYTES must be a positive multiple of 64"),
    ({"mlen": "64"}, "mlen must be an integer, got '64'"),
    ({"mlen": True}, "mlen must be an integer, got True"),
]


@pytest.mark.parametrize(("shape", "rule"), REFUSED, ids=[str(shape) for shape, _ in REFUSED])
def test_refused_shapes_name_the_rule(shape: dict[str, int], rule: str) -> None:
    with pytest.raises(HardwareError) as caught:
        Hardware(**shape)
    assert rule in str(caught.value)
