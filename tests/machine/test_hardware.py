"""Machine shapes: defaults, derived values, and the rule each refused shape breaks."""

from __future__ import annotations

import dataclasses
import re

import pytest

from plena_ref.machine.hardware import HBM_QUEUE, Hardware, HardwareError
from tb.engine import paths
from tests.refusals import refusals


def test_defaults() -> None:
    hardware = Hardware()
    assert (hardware.mlen, hardware.blen, hardware.hlen) == (64, 16, 64)
    assert (hardware.vram_elems, hardware.msram_tiles) == (1 << 20, 64)
    assert (hardware.fp_words, hardware.int_words, hardware.hbm_bytes) == (1024, 1024, 64 << 20)
    assert (hardware.vpref, hardware.vstore, hardware.mx_block, hardware.loop_depth) == (16, 16, 8, 8)
    assert (hardware.p, hardware.lanes, hardware.tile_elems, hardware.vram_rows) == (4, 1, 4096, 16384)


def test_the_queue_of_the_hbm_unit_is_that_of_the_rtl() -> None:
    text = (paths.REPO / "rtl" / "queue_parameters.svh").read_text()
    assert [int(depth) for depth in re.findall(r"int NH = (\d+)", text)] == [HBM_QUEUE]


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
        "ELEMENT": 0,
        "HBM_BF16": 0,
    }
    chosen = Hardware(element="plena", hbm_bf16="V1,m0").rtl_parameters()
    assert (chosen["ELEMENT"], chosen["HBM_BF16"]) == (1, 0b1001)


def test_classes_of_transfers_choose_their_format() -> None:
    hardware = Hardware(mlen=16, blen=4, element="plena", hbm_bf16="v0,M1,v0")
    assert hardware.hbm_bf16 == "m1,v0" and hardware == Hardware(
        mlen=16, blen=4, element="plena", hbm_bf16="m1,v0"
    )
    forms = [hardware.hbm_format(memory, precision) for memory in "mv" for precision in (0, 1)]
    assert [form.bf16 for form in forms] == [False, True, True, False]
    assert [form.alignment for form in forms] == [8, 16, 16, 8]
    assert [form.row_bytes(16) for form in forms] == [16, 32, 32, 16]
    assert [form.scale_bytes(64) for form in forms] == [8, 0, 0, 8]
    assert {form.element for form in forms} == {"plena"}


@pytest.mark.parametrize(("shape", "rule"), refusals("hardware"))
def test_refused_shapes_name_the_rule(shape: dict[str, int], rule: str) -> None:
    with pytest.raises(HardwareError) as caught:
        Hardware(**shape)
    assert rule in str(caught.value)
