"""HBM transfers of the reference machine: addresses, formats, footprints and limits."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.machine import mx
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.state import MemoryImages
from tb import oracle as exact
from tests.machines import SMALL, constant, random_bf16, run, stops

MLEN = SMALL.mlen


def hbm_images(hw: Hardware = SMALL, seed: int = 0) -> MemoryImages:
    """Poisoned memories with any bytes in HBM."""
    images = MemoryImages.poisoned(hw)
    images.hbm[:] = np.random.default_rng(seed).integers(0, 256, hw.hbm_bytes, dtype=np.uint8)
    return images


def setup(base: int = 0, offset: int = 0, scale: int = 0, stride: int = 0, hbm_high: int = 0) -> str:
    """a1 = base, gp1 = offset, SCALE and STRIDE set; gp2 = 0 is left for the on-chip address."""
    text = constant("gp9", base) + constant("gp8", hbm_high) + "C_SET_ADDR_REG a1, gp8, gp9\n"
    text += constant("gp9", scale) + "C_SET_SCALE_REG gp9\n"
    text += constant("gp9", stride) + "C_SET_STRIDE_REG gp9\n"
    return text + constant("gp1", offset)


def expected_rows(
    hbm: np.ndarray, ebase: int, sbase: int, stride: int, rows: int, hw: Hardware
) -> list[list[int]]:
    """What a prefetch puts on chip, element by element from its definition."""
    block = hw.mx_block
    return [
        [
            exact.mx_decode(
                int(hbm[ebase + n * stride + e]), int(hbm[sbase + n * (stride // block) + e // block])
            )
            for e in range(hw.mlen)
        ]
        for n in range(rows)
    ]


WIDE = Hardware(
    mlen=32, blen=8, vram_elems=2048, msram_tiles=2, vpref=5, vstore=3, mx_block=16, hbm_bytes=8192
)


@pytest.mark.parametrize("hw", [SMALL, WIDE], ids=["8_4", "32_8_block16"])
@pytest.mark.parametrize("precision", [0, 1])
@pytest.mark.parametrize(
    ("rstride", "stride", "scale"), [(0, 3, 1037), (1, 64, 1501), (1, 0, 777), (1, 48, 2000), (1, 16, 1999)]
)
def test_prefetches(hw: Hardware, precision: int, rstride: int, stride: int, scale: int) -> None:
    """Both prefetches with packed, spread, repeated and overlapping rows; scales at odd byte addresses."""
    images = hbm_images(hw)
    base, offset = 256, 32
    step = stride if rstride else hw.mlen
    sbase = base + scale + offset // hw.mx_block
    tile = expected_rows(images.hbm, base + offset, sbase, step, hw.mlen, hw)
    text = setup(base, offset, scale, stride) + constant("gp3", hw.tile_elems)
    text += f"H_PREFETCH_M gp3, gp1, a1, {rstride}, {precision}\n"
    text += f"S_ADDI_INT gp4, gp0, {3 * hw.mlen}\nH_PREFETCH_V gp4, gp1, a1, {rstride}, {precision}\n"
    machine = stops(text, images, hw)
    assert machine.images.msram.reshape(-1, hw.mlen, hw.mlen)[1].tolist() == tile
    rows = machine.images.vram.reshape(-1, hw.mlen)
    assert rows[3 : 3 + hw.vpref].tolist() == tile[: hw.vpref]
    assert np.unique(np.flatnonzero(machine.written.vram) // hw.mlen).tolist() == [*range(3, 3 + hw.vpref)]
    assert np.unique(np.flatnonzero(machine.written.msram) // hw.tile_elems).tolist() == [1]
    assert machine.hbm_high_water == -1 and not machine.written.hbm.any()


@pytest.mark.parametrize("hw", [SMALL, WIDE], ids=["8_4", "32_8_block16"])
@pytest.mark.parametrize(("rstride", "stride"), [(0, 0), (1, 64), (1, 96)])
def test_stores(hw: Hardware, rstride: int, stride: int) -> None:
    images = hbm_images(hw)
    before = images.hbm.copy()
    rows = hw.vstore
    data = random_bf16(np.random.default_rng(1), (rows, hw.mlen))
    data[0, : hw.mx_block] = np.where(
        data[0, : hw.mx_block] & 0x7F80 == 0x7F80, 0x3F80, data[0, : hw.mx_block]
    )
    images.vram[2 * hw.mlen : (2 + rows) * hw.mlen] = data.ravel()
    base, offset, scale = 512, 64, 1603
    text = setup(base, offset, scale, stride) + f"S_ADDI_INT gp2, gp0, {2 * hw.mlen}\n"
    machine = stops(text + f"H_STORE_V gp2, gp1, a1, {rstride}, 0", images, hw)
    step = stride if rstride else hw.mlen
    wanted, marks = before.copy(), np.zeros(before.shape, bool)
    for n in range(rows):
        for block in range(hw.mlen // hw.mx_block):
            part = data[n, block * hw.mx_block : (block + 1) * hw.mx_block].tolist()
            elements, scale_byte = exact.mx_encode(part)
            at = base + offset + n * step + block * hw.mx_block
            scale_at = base + scale + offset // hw.mx_block + n * (step // hw.mx_block) + block
            wanted[at : at + hw.mx_block] = elements
            wanted[scale_at] = scale_byte
            marks[at : at + hw.mx_block] = True
            marks[scale_at] = True
    assert np.array_equal(machine.images.hbm, wanted)
    assert np.array_equal(machine.written.hbm, marks)
    assert machine.hbm_high_water == np.flatnonzero(marks)[-1]


def test_stored_bytes_come_back_at_once() -> None:
    images = hbm_images()
    values = np.arange(0x3F80, 0x3F80 + 32, dtype=np.uint16)
    images.vram[:32] = values
    text = setup(base=64, offset=8, scale=1001) + "S_ADDI_INT gp3, gp0, 64\n"
    text += "H_STORE_V gp2, gp1, a1, 0, 0\nH_PREFETCH_V gp3, gp1, a1, 0, 0\n"
    machine = stops(text, images)
    elements, scales = mx.encode_rows(values.reshape(4, 8))
    assert machine.images.vram[64:96].tolist() == mx.decode_rows(elements, scales).ravel().tolist()


TRANSFERS = {"H_PREFETCH_M": 8, "H_PREFETCH_V": 4, "H_STORE_V": 4}


@pytest.mark.parametrize("name", TRANSFERS)
@pytest.mark.parametrize("precision", [0, 1])
def test_footprint_may_end_at_the_limit_and_not_pass_it(name: str, precision: int) -> None:
    """The last element byte, then the last scale byte, ends exactly at the limit; one byte less traps."""
    rows = TRANSFERS[name]
    transfer = f"{name} gp2, gp1, a1, 1, {precision}\n"
    stride = 24
    elements_end = 64 + 16 + (rows - 1) * stride + MLEN
    text = setup(base=64, offset=16, scale=0, stride=stride) + transfer
    scales_end = 64 + 700 + 16 // 8 + (rows - 1) * (stride // 8) + 1
    far = setup(base=64, offset=16, scale=700, stride=stride) + transfer
    for program, end in ((text, elements_end), (far, scales_end)):
        assert run(program, hbm_images(), limit=end)[1].status == "stopped"
        images = hbm_images()
        before = images.copy()
        machine, report = run(program, images, limit=end - 1)
        assert (report.cause, report.pc) == ("HBM_ERROR", len(assemble(program)) - 1)
        assert np.array_equal(machine.images.hbm, before.hbm)
        assert np.array_equal(machine.images.vram, before.vram)
        assert np.array_equal(machine.images.msram, before.msram)


@pytest.mark.parametrize("name", TRANSFERS)
@pytest.mark.parametrize(
    "addresses",
    [
        {"hbm_high": 1},
        {"hbm_high": 0xFFFF_FFFF, "base": 0xFFFF_FFF8},
        {"offset": 0xFFFF_FFF8, "base": 8},
        {"scale": 0xFFFF_FFFF, "base": 8},
        {"hbm_high": 0xFFFF_FFFF, "base": 0xFFFF_FF00, "offset": 0x200},
        {"stride": 0xFFFF_FFF8},
    ],
)
def test_addresses_are_added_without_wrap(name: str, addresses: dict[str, int]) -> None:
    _, report = run(setup(**addresses) + f"{name} gp2, gp1, a1, 1, 0", hbm_images())
    assert report.cause == "HBM_ERROR"


@pytest.mark.parametrize("name", TRANSFERS)
@pytest.mark.parametrize(
    ("addresses", "rstride", "cause"),
    [
        ({"base": 4}, 0, "HBM_MISALIGNED"),
        ({"offset": 12}, 0, "HBM_MISALIGNED"),
        ({"base": 4, "offset": 4}, 0, "HBM_MISALIGNED"),
        ({"stride": 12}, 1, "HBM_MISALIGNED"),
        ({"stride": 12}, 0, None),
        ({"scale": 3}, 0, None),
        ({"base": 4, "hbm_high": 7}, 0, "HBM_MISALIGNED"),
    ],
)
def test_alignment(name: str, addresses: dict[str, int], rstride: int, cause: str | None) -> None:
    _, report = run(setup(**addresses) + f"{name} gp2, gp1, a1, {rstride}, 0", hbm_images())
    assert report.cause == cause


def test_a_limit_outside_hbm_is_refused() -> None:
    with pytest.raises(ValueError, match=r"limit = 4097 lies outside 0\.\.4096"):
        run("C_BREAK", limit=4097)


BF16 = Hardware(
    mlen=16, blen=4, vram_elems=1024, msram_tiles=2, vpref=5, vstore=3, hbm_bytes=4096, hbm_bf16="m1,v0"
)


@pytest.mark.parametrize(
    ("base", "rstride", "stride"),
    [(256, 0, 3), (256, 1, 96), (256, 1, 0), (256, 1, 16), (256, 1, 32), (264, 1, 48)],
    ids=lambda value: str(value),
)
def test_prefetches_of_bf16(base: int, rstride: int, stride: int) -> None:
    """Raw bits, two bytes an element, rows 2*MLEN apart without STRIDE; SCALE may be anything."""
    images = hbm_images(BF16)
    text = setup(base, 32, 0xFFFF_FFFF, stride) + constant("gp3", BF16.tile_elems)
    text += f"H_PREFETCH_M gp3, gp1, a1, {rstride}, 1\nH_PREFETCH_V gp3, gp1, a1, {rstride}, 0\n"
    machine = stops(text, images, BF16)
    step = stride if rstride else 2 * BF16.mlen
    rows = [
        [
            int(images.hbm[base + 32 + n * step + 2 * e]) | int(images.hbm[base + 33 + n * step + 2 * e]) << 8
            for e in range(16)
        ]
        for n in range(BF16.mlen)
    ]
    assert machine.images.msram[BF16.tile_elems :].reshape(16, 16).tolist() == rows
    assert machine.images.vram.reshape(-1, 16)[16:21].tolist() == rows[:5]


def test_stores_of_bf16_write_raw_bits_and_no_scales() -> None:
    images = hbm_images(BF16)
    before = images.hbm.copy()
    data = random_bf16(np.random.default_rng(2), (3, 16))
    images.vram[:48] = data.ravel()
    machine = stops(setup(512, 64, 7, 48) + "H_STORE_V gp2, gp1, a1, 1, 0", images, BF16)
    for n in range(3):
        before[576 + 48 * n : 608 + 48 * n] = data[n].astype("<u2").view(np.uint8)
    assert np.array_equal(machine.images.hbm, before)
    assert np.flatnonzero(machine.written.hbm).tolist() == [
        576 + 48 * n + byte for n in range(3) for byte in range(32)
    ]
    assert machine.hbm_high_water == 576 + 96 + 31


def test_the_other_precision_of_such_a_machine_is_mxfp8() -> None:
    images = hbm_images(BF16)
    machine = stops(setup(256, 32, 1501) + "H_PREFETCH_V gp2, gp1, a1, 0, 1", images, BF16)
    wanted = expected_rows(images.hbm, 288, 256 + 1501 + 4, 16, 5, BF16)
    assert machine.images.vram[: 5 * 16].reshape(5, 16).tolist() == wanted


@pytest.mark.parametrize(("name", "rows", "precision"), [("H_PREFETCH_M", 16, 1), ("H_STORE_V", 3, 0)])
def test_bf16_may_end_at_the_limit_and_not_pass_it(name: str, rows: int, precision: int) -> None:
    text = setup(64, 16, 0xFFFF_FFFF, 48) + f"{name} gp2, gp1, a1, 1, {precision}"
    end = 64 + 16 + (rows - 1) * 48 + 32
    assert run(text, hbm_images(BF16), BF16, limit=end)[1].status == "stopped"
    assert run(text, hbm_images(BF16), BF16, limit=end - 1)[1].cause == "HBM_ERROR"


@pytest.mark.parametrize("addresses", [{"offset": 24}, {"base": 8, "offset": 8}, {"stride": 40}])
def test_offsets_and_strides_of_bf16_are_multiples_of_two_blocks(addresses: dict[str, int]) -> None:
    """Where precision 1, MXFP8 here, takes them."""
    program = setup(**addresses) + "H_PREFETCH_V gp2, gp1, a1, 1, "
    assert run(program + "0", hbm_images(BF16), BF16)[1].cause == "HBM_MISALIGNED"
    assert run(program + "1", hbm_images(BF16), BF16)[1].status == "stopped"


def test_plena_elements_are_read_and_written_by_its_rules() -> None:
    hw = Hardware(mlen=8, blen=4, vram_elems=512, msram_tiles=1, hbm_bytes=4096, element="plena")
    images = hbm_images(hw)
    data = random_bf16(np.random.default_rng(4), (4, 8)) & np.uint16(0xBFFF)
    images.vram[:32] = data.ravel()
    text = setup(256, 0, 512) + constant("gp3", 64)
    machine = stops(text + "H_STORE_V gp2, gp1, a1, 0, 0\nH_PREFETCH_V gp3, gp1, a1, 0, 0", images, hw)
    for n, row in enumerate(data.tolist()):
        elements, scale = exact.plena_encode(row)
        assert machine.images.hbm[256 + 8 * n :][:8].tolist() == elements
        assert machine.images.hbm[768 + n] == scale
        read = [exact.plena_decode(element, scale) for element in elements]
        assert machine.images.vram[64 + 8 * n :][:8].tolist() == read
