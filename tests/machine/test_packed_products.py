"""The matrix-vector and per-head instructions and V_TOPK against exact arithmetic in sequential loops."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.machine.state import POISON_BF16, POISON_INT, MemoryImages
from tb import oracle as exact
from tests.machines import constant, random_bf16, stops

KINDS = ("gaussian", "cancelling", "tiny", "wild")
each_kind = pytest.mark.parametrize("kind", KINDS)

#: HLEN below, equal to and above BLEN; one lane, many lanes, one-element lanes.
SHAPES = [
    Hardware(mlen=8, blen=4, hlen=4, vram_elems=1024, msram_tiles=2, fp_words=32, int_words=16),
    Hardware(mlen=8, blen=4, hlen=2, vram_elems=1024, msram_tiles=2),
    Hardware(mlen=8, blen=4, vram_elems=512, msram_tiles=2),
    Hardware(mlen=8, blen=8, hlen=4, vram_elems=512, msram_tiles=2),
    Hardware(mlen=8, blen=8, hlen=1, vram_elems=1024, msram_tiles=2),
    Hardware(mlen=16, blen=4, hlen=8, vram_elems=2048, msram_tiles=2),
    Hardware(mlen=16, blen=4, vram_elems=2048, msram_tiles=2),
]
each_shape = pytest.mark.parametrize("hw", SHAPES, ids=lambda hw: f"{hw.mlen}_{hw.blen}_{hw.hlen}")


def operands(kind: str, hw: Hardware) -> MemoryImages:
    """Poisoned memories with data of one kind in the first 2*MLEN VRAM rows and in every tile."""
    rng = np.random.default_rng([KINDS.index(kind), hw.mlen, hw.hlen])
    images = MemoryImages.poisoned(hw)
    for memory, size in (("vram", 2 * hw.tile_elems), ("msram", 2 * hw.tile_elems)):
        noise = rng.integers(0, 1 << 16, size).astype(np.uint16)
        if kind == "gaussian":
            bits = bf16_from_float(rng.standard_normal(size))
        elif kind == "cancelling":
            # Powers of two in both signs; in MSRAM rows come in pairs that cancel.
            bits = (rng.integers(120, 140, size) << 7).astype(np.uint16) | noise & np.uint16(0x8000)
            rows = bits.reshape(-1, hw.mlen)
            if memory == "msram":
                rows[1::2] = rows[0::2] ^ np.uint16(0x8000)
        elif kind == "tiny":
            bits = (rng.integers(58, 72, size) << 7).astype(np.uint16) | noise & np.uint16(0x807F)
        else:
            bits = random_bf16(rng, size)
        getattr(images, memory)[:size] = bits
    return images


def product(a: int, b: int) -> int:
    """f32 bits of the product of two bf16 patterns."""
    return exact.f32_mul(a << 16, b << 16)


# Matrix-vector


def vector_sums(hw: Hardware, row: np.ndarray, right: np.ndarray, sums: list[list[int]]) -> None:
    """sums[p][j] after one M_MV of the bf16 row [MLEN] and `right` [MLEN][BLEN]."""
    for j in range(hw.blen):
        for k in range(hw.mlen):
            p = k // hw.blen
            sums[p][j] = exact.f32_add(sums[p][j], product(int(row[k]), int(right[k][j])))


@each_kind
@each_shape
def test_matrix_vector_products(hw: Hardware, kind: str) -> None:
    """M_MV in both offset forms and M_TMV into one accumulator, written to the last column block."""
    mlen, blen = hw.mlen, hw.blen
    images = operands(kind, hw)
    rows, tiles = images.vram.reshape(-1, mlen).copy(), images.msram.reshape(-1, mlen, mlen).copy()
    column = mlen - blen
    text = constant("gp1", 3 * mlen) + constant("gp2", mlen * mlen + column)
    text += constant("gp3", column * mlen) + constant("gp4", 2 * mlen * mlen)
    text += "M_MV 0, gp2, gp1\nM_TMV 0, gp3, gp0\nM_MV 0, gp3, gp0\n"
    text += f"M_MV_WO gp4, {column}\nM_MV_WO gp4, {mlen}\n"
    sums = [[0] * blen for _ in range(hw.p)]
    vector_sums(hw, rows[3], tiles[1][:, column:], sums)
    vector_sums(hw, rows[0], tiles[0][column:].T, sums)
    vector_sums(hw, rows[0], tiles[0][:, column:], sums)
    machine = stops(text, images, hw)
    got = machine.images.vram.reshape(-1, mlen)
    wanted = [exact.f32_to_bf16(exact.tree_sum([sums[p][j] for p in range(hw.p)])) for j in range(blen)]
    assert got[2 * mlen, column:].tolist() == wanted
    assert (got[2 * mlen, :column] == POISON_BF16).all()
    assert (got[2 * mlen + 1, :blen] == 0).all(), "the write-out must clear"
    marks = machine.written.vram.reshape(-1, mlen)
    assert marks[2 * mlen, column:].all() and marks[2 * mlen + 1, :blen].all() and marks.sum() == 2 * blen


# Per head


def head_sum(taps: list[tuple[int, int]], hw: Hardware, held: int) -> int:
    """f32 bits of one accumulator after the (row, matrix) taps of one per-head product."""
    group = min(hw.blen, hw.hlen)
    partial = []
    for first in range(0, hw.hlen, group):
        total = 0
        for a, b in taps[first : first + group]:
            total = exact.f32_add(total, product(a, b))
        partial.append(total)
    return exact.f32_add(held, exact.tree_sum(partial))


def head_products(
    hw: Hardware, rows: np.ndarray, tile: np.ndarray, h: int, transposed: bool, sums: dict
) -> None:
    """sums[b, i, j] after one M_BMM or M_BTMM of `rows` [n][MLEN] and the tile from offset h on."""
    lanes, hlen = hw.mlen // hw.hlen, hw.hlen
    for b in range(lanes):
        for i in range(len(rows)):
            for j in range(hw.mlen):
                if transposed:
                    taps = [(int(rows[i][b * hlen + d]), int(tile[j][h + d])) for d in range(hlen)]
                else:
                    taps = [(int(rows[i][d * lanes + b]), int(tile[h + d][j])) for d in range(hlen)]
                sums[b, i, j] = head_sum(taps, hw, sums.get((b, i, j), 0))


@each_kind
@each_shape
def test_per_head_vector_products(hw: Hardware, kind: str) -> None:
    """M_BMV and M_BTMV into one accumulator, from both halves of the address sum."""
    mlen, h = hw.mlen, hw.mlen - hw.hlen
    images = operands(kind, hw)
    rows, tiles = images.vram.reshape(-1, mlen).copy(), images.msram.reshape(-1, mlen, mlen).copy()
    text = constant("gp1", mlen * mlen) + constant("gp2", h) + constant("gp3", 5 * mlen)
    text += f"M_BMV gp2, gp1, gp3\nM_BTMV 0, gp2, gp0\nM_BMV 0, gp1, gp3\nM_BMV_WO gp1, {mlen * mlen}\n"
    text += f"M_BMV_WO gp1, {mlen * mlen + hw.lanes * mlen}\n"
    sums: dict[tuple[int, int, int], int] = {}
    head_products(hw, rows[5:6], tiles[1], h, False, sums)
    head_products(hw, rows[0:1], tiles[0], h, True, sums)
    head_products(hw, rows[5:6], tiles[1], 0, False, sums)
    machine = stops(text, images, hw)
    got = machine.images.vram.reshape(-1, mlen)[2 * mlen :]
    wanted = [[exact.f32_to_bf16(sums[b, 0, j]) for j in range(mlen)] for b in range(hw.lanes)]
    assert got[: hw.lanes].tolist() == wanted
    assert (got[hw.lanes : 2 * hw.lanes] == 0).all(), "the write-out must clear"
    assert machine.written.vram.sum() == 2 * hw.lanes * mlen


@each_kind
@pytest.mark.parametrize("hw", SHAPES[:5], ids=lambda hw: f"{hw.mlen}_{hw.blen}_{hw.hlen}")
def test_per_head_matrix_products(hw: Hardware, kind: str) -> None:
    mlen, h = hw.mlen, hw.mlen - hw.hlen
    images = operands(kind, hw)
    rows, tiles = images.vram.reshape(-1, mlen).copy(), images.msram.reshape(-1, mlen, mlen).copy()
    target = hw.vram_elems - hw.lanes * mlen * mlen
    text = constant("gp1", mlen * mlen) + constant("gp2", h) + constant("gp3", 3 * mlen)
    text += constant("gp4", target - mlen)
    text += f"M_BMM gp2, gp1, gp3\nM_BTMM gp1, gp2, gp0\nM_BMM_WO gp4, {mlen}\n"
    sums: dict[tuple[int, int, int], int] = {}
    head_products(hw, rows[3 : 3 + mlen], tiles[1], h, False, sums)
    head_products(hw, rows[0:mlen], tiles[1], h, True, sums)
    machine = stops(text, images, hw)
    got = machine.images.vram[target:].reshape(hw.lanes, mlen, mlen)
    wanted = [
        [[exact.f32_to_bf16(sums[b, i, j]) for j in range(mlen)] for i in range(mlen)]
        for b in range(hw.lanes)
    ]
    assert got.tolist() == wanted
    assert machine.written.vram[target:].all() and not machine.written.vram[:target].any()


def test_the_two_lane_orders() -> None:
    """Element e is 2^e and the tile picks tap 0: interleaved heads see 0 and 1, contiguous ones 0 and 4."""
    hw = SHAPES[0]
    images = MemoryImages.zeros(hw)
    images.vram[:8] = bf16_from_float(2.0 ** np.arange(8))
    images.msram.reshape(-1, 8, 8)[0, 0, 0] = bf16_from_float(1.0)
    program = "M_BMV 0, gp0, gp0\nM_BMV_WO gp0, 64\nM_BTMV 0, gp0, gp0\nM_BMV_WO gp0, 128"
    vram = stops(program, images, hw).images.vram.reshape(-1, 8)
    assert vram[8:10, 0].tolist() == bf16_from_float([1.0, 2.0]).tolist()
    assert vram[16:18, 0].tolist() == bf16_from_float([1.0, 16.0]).tolist()


def test_groups_are_summed_apart_before_they_join() -> None:
    """Taps 2^30, 1, -2^30, 1 give 1 in one group; with the last two in a group of their own, 0."""
    column = bf16_from_float([2.0**30, 1.0, -(2.0**30), 1.0])
    results = {}
    for blen, hlen in ((4, 4), (4, 8)):
        hw = Hardware(mlen=8, blen=blen, hlen=hlen, vram_elems=512, msram_tiles=1)
        images = MemoryImages.zeros(hw)
        # Contiguous lanes: taps d read elements b*HLEN + d.
        images.vram[:8] = bf16_from_float(1.0)
        taps = np.zeros(8, np.uint16)
        taps[:2], taps[-2:] = column[:2], column[2:]
        images.msram.reshape(8, 8)[0, :] = taps if hlen == 8 else np.concatenate([column, column * 0])
        machine = stops("M_BTMV 0, gp0, gp0\nM_BMV_WO gp0, 64", images, hw)
        results[hlen] = float(exact.read(int(machine.images.vram[64]), exact.BF16).value)
    # One group: ((2^30 + 1) - 2^30) + 1 = 1. Two groups: 2^30 + 1 = 2^30 and -2^30 + 1 = -2^30: 0.
    assert results == {4: 1.0, 8: 0.0}


def test_a_tiny_rest_in_the_sums_is_still_flushed_by_large_products() -> None:
    """1.5 u, then -u made of large products, leaves u/2 with u = 2^-126, which is flushed before the next.

    That one, 261 * 2^-118, is a tie of the bf16 rounding, so any rest would show.
    """
    hw = SHAPES[0]
    unit = 2.0**-63
    images = MemoryImages.zeros(hw)
    rows, tiles = images.vram.reshape(-1, 8), images.msram.reshape(-1, 8, 8)
    # Head 0 of M_BMV takes elements 0, 2, 4, 6 of its row.
    taps = (([1.5, 0.0], [1.0, 0.0]), ([200.0, 199.0], [-200.0, 201.0]), ([288.0, 0.0], [232.0, 0.0]))
    for row, (left, right) in enumerate(taps):
        first = 4 * (row % 2)
        rows[row, :4:2] = bf16_from_float(np.array(left) * unit)
        tiles[row // 2, first : first + 2, 0] = bf16_from_float(np.array(right) * unit)
    sums: dict[tuple[int, int, int], int] = {}
    text = constant("gp1", 8) + constant("gp2", 16) + constant("gp3", 64) + constant("gp4", 4)
    text += "M_BMV 0, gp0, gp0\nM_BMV gp4, gp0, gp1\nM_BMV 0, gp3, gp2\nM_BMV_WO gp0, 256"
    for row, (tile, h) in enumerate(((0, 0), (0, 4), (1, 0))):
        head_products(hw, rows[row : row + 1], tiles[tile], h, False, sums)
        if row == 1:
            assert sums[0, 0, 0] == 0
    machine = stops(text, images, hw)
    assert machine.images.vram[256] == exact.f32_to_bf16(sums[0, 0, 0]) == bf16_from_float(260 * 2.0**-118)


def test_the_accumulators_do_not_disturb_each_other() -> None:
    """Interleaved use of all four gives what each gives alone."""
    hw = SHAPES[0]
    pairs = [
        ("M_MM 0, gp0, gp1\n", "M_MM_WO gp5, gp0, 0\n"),
        ("M_TMV 0, gp0, gp1\n", "M_MV_WO gp6, 4\n"),
        ("M_BTMM 0, gp0, gp1\n", "M_BMM_WO gp7, 0\n"),
        ("M_BMV 0, gp0, gp1\n", "M_BMV_WO gp8, 0\n"),
    ]
    setup = constant("gp1", 16)
    for register, row in (("gp5", 60), ("gp6", 70), ("gp7", 80), ("gp8", 100)):
        setup += constant(register, row * 8)
    alone = operands("gaussian", hw)
    for multiply, write in pairs:
        stops(setup + multiply + multiply + write, alone, hw)
    together = operands("gaussian", hw)
    order = [multiply for multiply, _ in pairs] * 2 + [write for _, write in reversed(pairs)]
    stops(setup + "".join(order), together, hw)
    assert np.array_equal(alone.vram, together.vram)


@pytest.mark.parametrize("write", ["M_MV_WO gp1, 0", "M_BMM_WO gp1, 0", "M_BMV_WO gp1, 0"])
def test_a_write_out_without_products_writes_zero(write: str) -> None:
    machine = stops(constant("gp1", 256) + write, operands("wild", SHAPES[0]), SHAPES[0])
    assert machine.written.vram.any() and not machine.images.vram[machine.written.vram].any()


def test_a_start_clears_every_accumulator() -> None:
    hw = SHAPES[0]
    images = operands("gaussian", hw)
    machine = stops("M_TMV 0, gp0, gp0\nM_BTMM 0, gp0, gp0\nM_BMV 0, gp0, gp0", images, hw)
    program = "M_MV_WO gp0, 512\nM_BMM_WO gp0, 512\nM_BMV_WO gp0, 768"
    assert machine.run(assemble(program)).status == "stopped"
    assert not machine.images.vram[machine.written.vram].any()


# V_TOPK


def order_key(bits: int) -> tuple:
    """Sorts logits: rationals between the infinities, NaN as -infinity, both zeros alike."""
    x = exact.read(bits, exact.BF16)
    if x.kind == "nan" or (x.kind == "inf" and x.negative):
        return (-1, 0)
    return (1, 0) if x.kind == "inf" else (0, x.value)


def exact_top_k(logits: list[int], count: int) -> tuple[list[int], list[int]]:
    """Weights and indices by repeated search for the first largest."""
    left = list(range(len(logits)))
    chosen: list[int] = []
    for _ in range(count):
        best = left[0]
        for index in left[1:]:
            if order_key(logits[index]) > order_key(logits[best]):
                best = index
        chosen.append(best)
        left.remove(best)
    minus_infinity = exact.BF16.sign | exact.BF16.infinity
    top = [minus_infinity if exact.read(logits[n], exact.BF16).kind == "nan" else logits[n] for n in chosen]
    exponentials = [exact.bf16_exp(exact.bf16_sub(x, top[0])) for x in top]
    total = exact.f32_to_bf16(exact.tree_sum([exact.bf16_to_f32(e) for e in exponentials]))
    return [exact.bf16_mul(e, exact.bf16_reciprocal(total)) for e in exponentials], chosen


def logits_of(kind: str, size: int, seed: int) -> np.ndarray:
    """Raw bf16 logits of one kind."""
    rng = np.random.default_rng([seed, size])
    minus_infinity, nan = 0xFF80, 0x7FC0
    if kind == "gaussian":
        return bf16_from_float(rng.standard_normal(size) * 2)
    if kind == "ties":
        return rng.choice(bf16_from_float([1.0, 2.0, -1.0]), size)
    if kind == "zeros":
        return rng.choice(np.array([0x0000, 0x8000, 0x0001, 0x807F, 0xBF80], np.uint16), size)
    if kind == "wild":
        return random_bf16(rng, size)
    if kind == "mostly hidden":
        bits = rng.choice(np.array([minus_infinity, nan, 0xFFA5], np.uint16), size)
        bits[[3, size - 2]] = bf16_from_float([-4.0, 2.0])
        return bits
    if kind == "all hidden":
        return rng.choice(np.array([minus_infinity, nan], np.uint16), size)
    if kind == "infinite":
        bits = bf16_from_float(rng.standard_normal(size))
        bits[[1, 7]] = 0x7F80
        return bits
    return bf16_from_float(rng.standard_normal(size) * 1e38)


TOPK_KINDS = ("gaussian", "ties", "zeros", "wild", "mostly hidden", "all hidden", "infinite", "huge")


@pytest.mark.parametrize("mlen", [8, 32, 64, 128, 256])
@pytest.mark.parametrize("policy", [0, 1])
@pytest.mark.parametrize("kind", TOPK_KINDS)
def test_topk(kind: str, policy: int, mlen: int) -> None:
    """The logits span several rows, one, or part of one; what lies behind them is never taken."""
    hw = Hardware(mlen=mlen, blen=4, hlen=mlen, vram_elems=16 * max(mlen, 32), msram_tiles=1, int_words=64)
    size, count = ((32, 4), (128, 8))[policy]
    images = MemoryImages.poisoned(hw)
    base = 2 * mlen
    images.vram[base:] = 0x7F7F
    logits = logits_of(kind, size, seed=mlen)
    images.vram[base : base + size] = logits
    text = constant("gp1", 100) + constant("gp2", base) + constant("gp3", 9)
    machine = stops(text + f"V_TOPK gp1, gp2, gp3, {policy}", images, hw)
    weights, indices = exact_top_k(logits.tolist(), count)
    assert machine.images.fpmem[100 : 100 + count].tolist() == weights
    assert machine.images.intmem[9 : 9 + count].tolist() == indices
    assert np.flatnonzero(machine.written.fpmem).tolist() == list(range(100, 100 + count))
    assert np.flatnonzero(machine.written.intmem).tolist() == list(range(9, 9 + count))
    assert (np.delete(machine.images.intmem, range(9, 9 + count)) == POISON_INT).all()
    assert not machine.written.vram.any() and not any(machine.registers.f)


def test_topk_adds_its_exponentials_in_a_tree() -> None:
    """Exponentials 1 and e^-0.66, whose sum is a tie of the bf16 rounding, and two of e^-17.

    Each of these alone is lost against the first sum; together, as a pair of the tree, they break the tie.
    """
    hw = SHAPES[0]
    images = MemoryImages.zeros(hw)
    logits = [0x0000, 0xBF28, 0xC188, 0xC188] + [0xFF80] * 28
    images.vram[:32] = logits
    machine = stops("V_TOPK gp0, gp0, gp0, 0", images, hw)
    assert machine.images.fpmem[:4].tolist() == exact_top_k(logits, 4)[0]
    exponentials = [exact.bf16_to_f32(exact.bf16_exp(x)) for x in logits[:4]]
    one_by_one = 0
    for exponential in exponentials:
        one_by_one = exact.f32_add(one_by_one, exponential)
    assert exact.f32_to_bf16(one_by_one) == 0x3FC2
    assert exact.f32_to_bf16(exact.tree_sum(exponentials)) == 0x3FC3
    assert machine.images.fpmem[0] == exact.bf16_reciprocal(0x3FC3) != exact.bf16_reciprocal(0x3FC2)


def test_topk_oracle_on_a_case_worked_by_hand() -> None:
    """Logits 0, ln-free: four equal ones weigh 1/4 each; a lone +inf makes all weights NaN."""
    assert exact_top_k([0x8000, 0x3F80, 0x3F80, 0x0000, 0x3F80, 0x3F80, 0x3F80], 4) == (
        [0x3E80] * 4,
        [1, 2, 4, 5],
    )
    assert exact_top_k([0x0000, 0x7F80, 0x8000, 0x7FC0], 4) == ([exact.BF16.nan] * 4, [1, 0, 2, 3])
