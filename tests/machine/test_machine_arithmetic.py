"""Matrix, vector and scalar instructions of the reference machine against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.machine.state import POISON_BF16, MemoryImages
from tb import oracle as exact
from tests.machines import SMALL, constant, random_bf16, run, stops

MLEN, BLEN = SMALL.mlen, SMALL.blen


def operand_images(kind: str, hw: Hardware, seed: int = 0) -> MemoryImages:
    """Poisoned memories whose first VRAM rows and MSRAM tiles hold data of one kind.

    "cancelling" makes sums depend on their order, "tiny" makes products and sums subnormal, "wild"
    is any pattern.
    """
    rng = np.random.default_rng([seed, len(kind), hw.mlen])
    images = MemoryImages.poisoned(hw)
    count = {"vram": 16 * hw.mlen, "msram": hw.msram_tiles * hw.tile_elems}
    for name, size in count.items():
        if kind == "gaussian":
            bits = (rng.standard_normal(size).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        elif kind == "cancelling":
            exponents = rng.integers(120, 140, size).astype(np.uint16) << np.uint16(7)
            bits = exponents | rng.integers(0, 2, size).astype(np.uint16) << np.uint16(15)
            bits[1::2] = bits[0::2] ^ 0x8000
        elif kind == "tiny":
            exponents = rng.integers(58, 72, size).astype(np.uint16) << np.uint16(7)
            bits = exponents | (rng.integers(0, 1 << 16, size, dtype=np.uint16) & np.uint16(0x807F))
        else:
            bits = random_bf16(rng, size)
        getattr(images, name)[:size] = bits
    return images


def exact_block(
    left: np.ndarray, right: np.ndarray, sums: list[list[list[int]]], hw: Hardware
) -> list[list[list[int]]]:
    """sums[p][i][j] (f32 bits) after one M_MM of bf16 `left` [BLEN, MLEN] and `right` [MLEN, BLEN]."""
    for p in range(hw.p):
        for i in range(hw.blen):
            for j in range(hw.blen):
                for k in range(p * hw.blen, (p + 1) * hw.blen):
                    product = exact.f32_mul(int(left[i, k]) << 16, int(right[k, j]) << 16)
                    sums[p][i][j] = exact.f32_add(sums[p][i][j], product)
    return sums


def no_sums(hw: Hardware) -> list[list[list[int]]]:
    """Cleared accumulators."""
    return [[[0] * hw.blen for _ in range(hw.blen)] for _ in range(hw.p)]


def written_out(sums: list[list[list[int]]], hw: Hardware) -> list[list[int]]:
    """bf16 bits [BLEN, BLEN] that M_MM_WO writes."""
    return [
        [exact.f32_to_bf16(exact.tree_sum([sums[p][i][j] for p in range(hw.p)])) for j in range(hw.blen)]
        for i in range(hw.blen)
    ]


SHAPES = [
    SMALL,
    Hardware(mlen=16, blen=4, vram_elems=1024, msram_tiles=3),
    Hardware(mlen=8, blen=8, vram_elems=512),
]


@pytest.mark.parametrize("kind", ["gaussian", "cancelling", "tiny", "wild"])
@pytest.mark.parametrize("hw", SHAPES, ids=lambda hw: f"{hw.mlen}_{hw.blen}")
def test_products_accumulate_in_the_order_of_the_array(hw: Hardware, kind: str) -> None:
    mlen, blen = hw.mlen, hw.blen
    images = operand_images(kind, hw)
    rows = images.vram.reshape(-1, mlen).copy()
    tiles = images.msram.reshape(-1, mlen, mlen).copy()
    column = (mlen - blen) * mlen
    program = constant("gp1", 2 * mlen) + constant("gp2", mlen * mlen) + constant("gp3", column)
    program += "M_MM 0, gp2, gp1\nM_TMM 0, gp0, gp3\nM_MM 0, gp3, gp0\n" + constant("gp4", 8 * mlen)
    program += "M_MM_WO gp4, gp0, 0\nC_BREAK"
    machine = stops(program, images, hw)
    sums = exact_block(rows[2 : 2 + blen], tiles[1][:, :blen], no_sums(hw), hw)
    sums = exact_block(rows[0:blen], tiles[0][mlen - blen :].T, sums, hw)
    sums = exact_block(rows[0:blen], tiles[0][:, mlen - blen :], sums, hw)
    got = machine.images.vram.reshape(-1, mlen)[8 : 8 + blen]
    assert got[:, :blen].tolist() == written_out(sums, hw)
    assert np.array_equal(got[:, blen:], rows[8 : 8 + blen, blen:])


def test_accumulation_is_not_one_long_sum() -> None:
    """2^30 + 1 - 2^30 + 1 in mini-array 0 and its negative order in mini-array 1: each loses its own ones."""
    images = MemoryImages.zeros(SMALL)
    images.vram[:MLEN] = [0x3F80] * 8
    column = np.array([0x4E80, 0x3F80, 0xCE80, 0x3F80, 0x3F80, 0x4E80, 0x3F80, 0xCE80], np.uint16)
    images.msram.reshape(-1, MLEN, MLEN)[0, :, 0] = column
    machine = stops("M_MM 0, gp0, gp0\nS_ADDI_INT gp1, gp0, 64\nM_MM_WO gp1, gp0, 0", images)
    assert machine.images.vram[64] == 0x3F80
    assert float(np.sum(np.array([2.0**30, 1, -(2.0**30), 1, 1, 2.0**30, 1, -(2.0**30)]))) == 4.0


def test_a_tiny_rest_in_the_sums_is_still_flushed_by_large_products() -> None:
    """199*201 u + 1.5 u - 200*200 u leaves u/2 with u = 2^-126, which is flushed before the next product.

    That one, 261 * 2^-118, is a tie of the bf16 rounding, so any rest would show.
    """
    images = MemoryImages.zeros(SMALL)
    tiles = images.msram.reshape(-1, MLEN, MLEN)
    unit = 2.0**-63
    images.vram[:2] = bf16_from_float([199 * unit, 1.5 * unit])
    tiles[0, :2, 0] = bf16_from_float([201 * unit, unit])
    images.vram[32:34] = bf16_from_float([200 * unit, 288 * unit])
    tiles[1, :2, 0] = bf16_from_float([-200 * unit, 232 * unit])
    sums = exact_block(images.vram.reshape(-1, MLEN)[:4], tiles[0, :, :4], no_sums(SMALL), SMALL)
    assert sums[0][0][0] == exact.round_to(Fraction(80001, 2) * Fraction(2) ** -126, exact.F32)
    sums = exact_block(images.vram.reshape(-1, MLEN)[4:8], tiles[1, :, :4], sums, SMALL)
    program = constant("gp1", 32) + constant("gp2", 64)
    machine = stops(program + "M_MM 0, gp0, gp0\nM_MM 0, gp2, gp1\nM_MM_WO gp0, gp0, 128", images)
    assert machine.images.vram[128] == written_out(sums, SMALL)[0][0] == bf16_from_float(260 * 2.0**-118)


def test_write_out_clears_and_a_write_out_without_products_writes_zero() -> None:
    images = operand_images("gaussian", SMALL)
    machine = stops("M_MM 0, gp0, gp0\nM_MM_WO gp0, gp0, 128\nM_MM_WO gp0, gp0, 192\n", images)
    rows = machine.images.vram.reshape(-1, MLEN)
    assert rows[16:20, :BLEN].all()
    assert not rows[24:28, :BLEN].any()
    assert (rows[24:28, BLEN:] == POISON_BF16).all()


def test_both_column_offset_forms_name_the_same_columns() -> None:
    results = []
    for offset in (BLEN, BLEN * MLEN):
        images = operand_images("gaussian", SMALL)
        program = constant("gp1", MLEN * MLEN + offset) + "M_MM 0, gp1, gp0\nM_MM_WO gp0, gp0, 128"
        results.append(stops(program, images).images.vram.copy())
    assert np.array_equal(*results)
    images = operand_images("gaussian", SMALL)
    other = stops(constant("gp1", MLEN * MLEN) + "M_MM 0, gp1, gp0\nM_MM_WO gp0, gp0, 128", images)
    assert not np.array_equal(results[0], other.images.vram)


@pytest.mark.parametrize("stride", [None, 0, 1, 2, 5])
def test_write_out_column_offset_and_row_stride(stride: int | None) -> None:
    images = operand_images("gaussian", SMALL)
    reference = stops("M_MM 0, gp0, gp0\nM_MM_WO gp0, gp0, 128", operand_images("gaussian", SMALL))
    block = reference.images.vram.reshape(-1, MLEN)[16:20, :BLEN]
    register = "gp0" if stride is None else "gp5"
    program = f"S_ADDI_INT gp5, gp0, {stride or 0}\nS_ADDI_INT gp6, gp0, 100\nM_MM 0, gp0, gp0\n"
    before = images.vram.reshape(-1, MLEN).copy()
    machine = stops(program + f"M_MM_WO gp6, {register}, 32", images)
    step = 1 if stride is None else stride
    wanted = before.copy()
    marks = np.zeros(wanted.shape, bool)
    for i in range(BLEN):
        wanted[16 + i * step, 4:8] = block[i]
        marks[16 + i * step, 4:8] = True
    assert np.array_equal(machine.images.vram.reshape(-1, MLEN), wanted)
    assert np.array_equal(machine.written.vram.reshape(-1, MLEN), marks)


def test_a_stride_register_that_holds_zero_is_not_gp0() -> None:
    images = operand_images("gaussian", SMALL)
    machine = stops("M_MM 0, gp0, gp0\nM_MM_WO gp0, gp7, 128", images)
    assert machine.written.vram.reshape(-1, MLEN).any(axis=1).sum() == 1


VECTOR_VV = {"V_ADD_VV": exact.bf16_add, "V_SUB_VV": exact.bf16_sub, "V_MUL_VV": exact.bf16_mul}
VECTOR_VF = {
    "V_ADD_VF": exact.bf16_add,
    "V_MUL_VF": exact.bf16_mul,
    "V_MAX_VF": exact.bf16_max,
    "V_MIN_VF": exact.bf16_min,
}
VECTOR_V = {"V_EXP_V": exact.bf16_exp, "V_RECI_V": exact.bf16_reciprocal}
SELECTED = {
    0b00: [False] * 8,
    0b01: [True] * 4 + [False] * 4,
    0b10: [False] * 4 + [True] * 4,
    0b11: [True] * 8,
}


def vector_images(seed: int) -> MemoryImages:
    """Poisoned memories with wild data in VRAM rows 0..15 and in FP_MEM."""
    images = operand_images("wild", SMALL, seed)
    images.fpmem[:] = random_bf16(np.random.default_rng(seed), SMALL.fp_words)
    return images


def lanes(result: list[int], source: list[int], rmask: int, v_mask: int) -> list[int]:
    """`result` where the mask selects, else the raw source."""
    chosen = SELECTED[v_mask] if rmask else [True] * MLEN
    return [new if take else old for new, old, take in zip(result, source, chosen, strict=True)]


@pytest.mark.parametrize("rmask", [0, 1])
@pytest.mark.parametrize("v_mask", [0, 1, 2, 3])
def test_vector_instructions(rmask: int, v_mask: int) -> None:
    """Every row instruction over a few rows of wild data, masked or not, not in place and in place."""
    for index, name in enumerate([*VECTOR_VV, *VECTOR_VF, "V_SUB_VF 0", "V_SUB_VF 1", *VECTOR_V]):
        images = vector_images(seed=index)
        f3 = int(images.fpmem[3])
        a = images.vram[16:24].tolist()
        b = images.vram[40:48].tolist()
        setup = f"S_ADDI_INT gp9, gp0, {v_mask}\nC_SET_V_MASK_REG gp9\nS_LD_FP f3, gp0, 3\n"
        setup += "S_ADDI_INT gp1, gp0, 16\nS_ADDI_INT gp2, gp0, 40\nS_ADDI_INT gp3, gp0, 88\n"
        if name in VECTOR_VV:
            form = f"{name} {{d}}, gp1, gp2, {rmask}\n"
            result = [VECTOR_VV[name](x, y) for x, y in zip(a, b, strict=True)]
        elif name in VECTOR_VF:
            form = f"{name} {{d}}, gp1, f3, {rmask}\n"
            result = [VECTOR_VF[name](x, f3) for x in a]
        elif name in VECTOR_V:
            form = f"{name} {{d}}, gp1, {rmask}\n"
            result = [VECTOR_V[name](x) for x in a]
        else:
            reverse = name.endswith("1")
            form = f"V_SUB_VF {{d}}, gp1, f3, {rmask}, {int(reverse)}\n"
            result = [exact.bf16_sub(f3, x) if reverse else exact.bf16_sub(x, f3) for x in a]
        wanted = lanes(result, a, rmask, v_mask)
        machine = stops(setup + form.format(d="gp3") + form.format(d="gp1"), images)
        assert machine.images.vram[88:96].tolist() == wanted, name
        assert machine.images.vram[16:24].tolist() == wanted, name
        assert np.flatnonzero(machine.written.vram).tolist() == [*range(16, 24), *range(88, 96)]


@pytest.mark.parametrize("distance", [0, 1, 3, 7, 8, 9, 0xFFFF_FFFF])
def test_shift_moves_raw_bits_towards_higher_indices(distance: int) -> None:
    images = MemoryImages.poisoned(SMALL)
    row = [0xFFA5, 0x0001, 0x8000, 0x7F81, 5, 6, 7, 8]
    images.vram[:8] = row
    machine = stops(constant("gp5", distance) + "S_ADDI_INT gp1, gp0, 8\nV_SHFT_V gp1, gp0, gp5", images)
    moved = min(distance, 8)
    assert machine.images.vram[8:16].tolist() == [0] * moved + row[: 8 - moved]


@pytest.mark.parametrize("kind", ["gaussian", "cancelling", "tiny", "wild"])
@pytest.mark.parametrize("rmask", [0, 1])
@pytest.mark.parametrize("v_mask", [0, 1, 2, 3])
def test_reductions(kind: str, rmask: int, v_mask: int) -> None:
    """Both accumulate into f[rd] in order; lanes that are masked out count as +0 and -inf in their places."""
    images = operand_images(kind, SMALL, seed=3)
    images.fpmem[:8] = [0x3F80, 0x8000, 0x0001, 0x7FA5, 0xFF80, 0x7F80, 0x0000, 0xC2C8]
    chosen = SELECTED[v_mask] if rmask else [True] * MLEN
    text = f"S_ADDI_INT gp9, gp0, {v_mask}\nC_SET_V_MASK_REG gp9\n"
    wanted_sum, wanted_max = [0], [0]
    for n in range(1, 8):
        text += f"S_ADDI_INT gp1, gp0, {n * MLEN}\nS_LD_FP f{n}, gp0, {n}\nV_RED_SUM f{n}, gp1, {rmask}\n"
        row, old = images.vram[n * MLEN : (n + 1) * MLEN].tolist(), int(images.fpmem[n])
        terms = [exact.bf16_to_f32(x) if take else 0 for x, take in zip(row, chosen, strict=True)]
        wanted_sum.append(exact.f32_to_bf16(exact.f32_add(old << 16, exact.tree_sum(terms))))
        largest = exact.BF16.infinity | exact.BF16.sign
        for x, take in zip(row, chosen, strict=True):
            largest = exact.bf16_max(largest, x) if take else largest
        wanted_max.append(exact.bf16_max(old, largest))
    assert stops(text, images).registers.f == wanted_sum
    assert stops(text.replace("RED_SUM", "RED_MAX"), images).registers.f == wanted_max


def test_reductions_accumulate_and_f0_stays_zero() -> None:
    images = MemoryImages.zeros(SMALL)
    images.vram[:8] = 0x3F80
    machine = stops("V_RED_SUM f2, gp0\nV_RED_SUM f2, gp0\nV_RED_SUM f0, gp0\nV_RED_MAX f0, gp0", images)
    assert machine.registers.f == [0, 0, 0x4180, 0, 0, 0, 0, 0]


def test_empty_mask_gives_the_old_value_plus_zero_or_flushed() -> None:
    images = MemoryImages.zeros(SMALL)
    images.fpmem[:4] = [0x8000, 0x807F, 0xFFA5, 0xC000]
    loads = "".join(f"S_LD_FP f{n + 1}, gp0, {n}\n" for n in range(4))
    sums = stops(loads + "".join(f"V_RED_SUM f{n}, gp0, 1\n" for n in range(1, 5)), images)
    assert sums.registers.f[1:5] == [0x0000, 0x0000, 0x7FC0, 0xC000]
    maxima = stops(loads + "".join(f"V_RED_MAX f{n}, gp0, 1\n" for n in range(1, 5)), images)
    assert maxima.registers.f[1:5] == [0x8000, 0x8000, 0x7FC0, 0xC000]


def test_map_copies_raw_words_at_any_word_address() -> None:
    images = vector_images(seed=5)
    machine = stops("S_ADDI_INT gp1, gp0, 16\nS_ADDI_INT gp2, gp0, 9\nS_MAP_V_FP gp1, gp2, 15", images)
    assert np.array_equal(machine.images.vram[16:24], images.fpmem[24:32])


def test_scalar_float_instructions() -> None:
    images = vector_images(seed=6)
    values = images.fpmem.tolist()
    binary = {
        "S_ADD_FP": exact.bf16_add,
        "S_SUB_FP": exact.bf16_sub,
        "S_MUL_FP": exact.bf16_mul,
        "S_MAX_FP": exact.bf16_max,
    }
    unary = {"S_EXP_FP": exact.bf16_exp, "S_RECI_FP": exact.bf16_reciprocal, "S_SQRT_FP": exact.bf16_sqrt}
    for (at_a, a), (_, b) in pairwise(enumerate(values)):
        text = f"S_LD_FP f1, gp0, {at_a}\nS_LD_FP f2, gp0, {at_a + 1}\n"
        text += "".join(f"{name} f{3 + n}, f1, f2\n" for n, name in enumerate(binary))
        assert stops(text, images).registers.f[3:7] == [operation(a, b) for operation in binary.values()]
        text += "".join(f"{name} f{3 + n}, f1\n" for n, name in enumerate(unary))
        assert stops(text, images).registers.f[3:6] == [operation(a) for operation in unary.values()]


def test_loads_and_stores_copy_raw_bits() -> None:
    images = MemoryImages.zeros(SMALL)
    images.fpmem[:3] = [0xFFA5, 0x0001, 0x8000]
    text = "".join(f"S_LD_FP f{n + 1}, gp0, {n}\nS_ST_FP f{n + 1}, gp0, {n + 8}\n" for n in range(3))
    machine = stops(text + "S_ST_FP f0, gp0, 31", images)
    assert machine.images.fpmem[8:11].tolist() == [0xFFA5, 0x0001, 0x8000]
    assert np.flatnonzero(machine.written.fpmem).tolist() == [8, 9, 10, 31]


def test_integers_wrap_and_gp0_stays_zero() -> None:
    text = constant("gp1", 0xFFFF_FFFF) + "S_ADDI_INT gp2, gp1, 2\nS_SUB_INT gp3, gp0, gp2\n"
    text += (
        "S_MUL_INT gp4, gp1, gp1\nS_ADD_INT gp5, gp1, gp1\nS_LUI_INT gp6, 4194303\nS_ADDI_INT gp0, gp1, 5\n"
    )
    text += "S_LUI_INT gp0, 1\nS_ADD_INT gp0, gp1, gp1\nS_ST_INT gp1, gp2, 4\nS_LD_INT gp7, gp0, 5\n"
    text += "S_LD_INT gp0, gp0, 5\nC_SET_ADDR_REG a7, gp3, gp2\n"
    machine = stops(text)
    wanted = [0, 0xFFFF_FFFF, 1, 0xFFFF_FFFF, 1, 0xFFFF_FFFE, 0xFFFF_F000, 0xFFFF_FFFF]
    assert machine.registers.gp[:8] == wanted
    assert machine.registers.a[7] == 0xFFFF_FFFF_0000_0001
    assert machine.images.intmem[5] == 0xFFFF_FFFF and machine.written.intmem.sum() == 1


def test_mask_register_keeps_only_the_lanes() -> None:
    machine = stops(constant("gp1", 0xFFFF_FFFE) + "C_SET_V_MASK_REG gp1")
    assert machine.registers.v_mask == 0b10


def test_reset_values_and_report() -> None:
    machine, report = run("C_BREAK")
    assert (report.status, report.cause, report.pc, report.instructions) == ("stopped", None, 0, 1)
    assert report.registers == machine.registers
    assert report.registers.stride == 1
    assert [report.registers.scale, report.registers.v_mask] == [0, 0]
    assert not any(report.registers.gp + report.registers.f + report.registers.a)
