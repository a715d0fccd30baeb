"""The attention kernels on the reference machine: shapes, tiles, masks, and what they may touch."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from plena_ref import golden
from plena_ref.assembler import assemble
from plena_ref.cases import CASES, KERNELS, STRICT, Case, Workload, build
from plena_ref.compare import compare, result_values
from plena_ref.hardware import Hardware
from plena_ref.isa import INSTRUCTIONS
from plena_ref.kernels.attention import diagonal_shift, query_tiles
from plena_ref.kernels.operands import AttentionShape
from plena_ref.layout import region_mask
from plena_ref.machine import Machine
from plena_ref.state import MemoryImages

PLAIN = ("plain_attention", "plain_attention_element_offsets")


def hardware(mlen: int, blen: int, **values: int) -> Hardware:
    """A machine with memories small enough to be copied often."""
    sizes = {"vram_elems": 1 << 18, "hbm_bytes": 1 << 20, **values}
    return Hardware(mlen, blen, **sizes)


def run(workload: Workload, images: MemoryImages | None = None) -> Machine:
    """Run the program on the reference machine until its normal stop."""
    case = workload.case
    machine = Machine(case.hardware, images or workload.images.copy(), workload.limit)
    report = machine.run(workload.words)
    assert (report.status, report.cause) == ("stopped", None)
    return machine


def check(case: Case) -> Machine:
    """Build and run a case; accurate, and nothing written but what the kernel declares."""
    workload = build(case)
    assert assemble(workload.listing) == workload.words
    machine = run(workload)
    verdict = compare(workload, machine.images, machine.images, machine.registers, machine.registers)
    assert verdict.passed, verdict.reasons
    for memory in ("vram", "msram", "fpmem", "intmem", "hbm"):
        written = getattr(machine.written, memory)
        declared = region_mask([*workload.outputs, *workload.scratch], memory, len(written))
        assert not (written & ~declared).any(), memory
        wanted = region_mask(workload.outputs, memory, len(written))
        assert (written | ~wanted).all(), f"{memory}: part of the result is never written"
    return machine


@pytest.mark.parametrize("name", CASES)
def test_registered_cases_pass(name: str) -> None:
    check(CASES[name])


SHAPES = [
    # seq, kv_seq, causal
    (1, 1, True),
    (1, 1, False),
    (3, None, True),
    (-1, None, True),
    (0, None, True),
    (1.5, None, True),
    (2.2, None, True),
    (2.2, None, False),
    (4, 2.3, False),
    (2, 5, False),
    (3, 0, True),
]


@pytest.mark.parametrize(("mlen", "blen"), [(8, 4), (8, 8), (16, 4), (16, 16), (32, 8), (64, 16)])
@pytest.mark.parametrize("seq_code", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("batch", "heads", "head_blens", "packed"), [(1, 1, 1, False), (2, 2, 5, True), (3, 1, 3, False)]
)
def test_shapes(
    mlen: int, blen: int, seq_code: tuple, batch: int, heads: int, head_blens: int, packed: bool
) -> None:
    """Sequences below, at and above the tile; a float is in tiles, 0 is one tile, -1 one row less."""

    def length(code: float) -> int:
        if isinstance(code, float):
            return int(code * mlen)
        return code if code > 0 else mlen + code

    seq, kv_seq, causal = seq_code
    check(
        Case(
            "shape",
            hardware=hardware(mlen, blen),
            batch=batch,
            seq=length(seq),
            kv_seq=None if kv_seq is None else length(kv_seq),
            heads=heads,
            head_dim=head_blens * blen,
            causal=causal,
            sigma=1.0,
            tolerance=STRICT,
            packed_output=packed,
        )
    )


@pytest.mark.parametrize(("mlen", "blen"), [(128, 32), (256, 64)])
def test_large_tiles(mlen: int, blen: int) -> None:
    check(
        Case(
            "large",
            hardware=hardware(mlen, blen, vram_elems=1 << 20, hbm_bytes=1 << 22),
            seq=mlen + 3,
            heads=2,
            head_dim=blen,
            causal=True,
            sigma=1.0,
        )
    )


@pytest.mark.parametrize("kernel", PLAIN)
@pytest.mark.parametrize(
    ("mlen", "blen", "batch", "seq", "kv_seq", "heads", "head_dim", "causal"),
    [
        (64, 16, 1, 64, 64, 1, 64, True),
        (64, 16, 2, 4, 4, 2, 64, False),
        (16, 4, 3, 20, 20, 1, 24, True),
        (8, 4, 2, 9, 21, 2, 12, False),
        (16, 4, 1, 5, 16, 1, 16, True),
        (32, 8, 1, 33, 33, 2, 64, True),
    ],
)
def test_the_plain_form(
    kernel: str,
    mlen: int,
    blen: int,
    batch: int,
    seq: int,
    kv_seq: int,
    heads: int,
    head_dim: int,
    causal: bool,
) -> None:
    check(
        Case(
            "plain",
            hardware=hardware(mlen, blen),
            batch=batch,
            seq=seq,
            kv_seq=kv_seq,
            heads=heads,
            head_dim=head_dim,
            causal=causal,
            sigma=1.0,
            kernel=kernel,
        )
    )


def test_both_column_offset_forms_give_the_same_memory() -> None:
    case = CASES["mha_ragged"].override(hbm_bytes=1 << 20)
    images = [run(build(case.override(kernel=kernel))).images for kernel in PLAIN]
    np.testing.assert_array_equal(images[0].vram, images[1].vram)
    words = [build(case.override(kernel=kernel)).words for kernel in PLAIN]
    assert words[0] != words[1]


@pytest.mark.parametrize("fill", ["zeros", "random", "infinities"])
@pytest.mark.parametrize("name", ["mha_batch2_sub64", "mha_ragged"])
def test_what_memory_held_before_does_not_matter(name: str, fill: str) -> None:
    """Everything the case does not stage is replaced; the result must not change by a bit."""
    case = CASES[name].override(hbm_bytes=1 << 16)
    workload = build(case)
    poison = MemoryImages.poisoned(case.hardware)
    images = workload.images.copy()
    rng = np.random.default_rng(5)
    for memory in ("vram", "msram", "fpmem", "intmem", "hbm"):
        image, staged = getattr(images, memory), getattr(workload.images, memory) != getattr(poison, memory)
        top = np.iinfo(image.dtype).max
        filler = {
            "zeros": np.zeros_like(image),
            "random": rng.integers(0, top, image.shape, image.dtype, endpoint=True),
            "infinities": np.full_like(image, 0x7F80 if image.dtype == np.uint16 else 0x7F),
        }[fill]
        image[~staged] = filler[~staged]
    expected = result_values(workload, run(workload).images.vram)
    np.testing.assert_array_equal(result_values(workload, run(workload, images).images.vram), expected)


def test_padding_rows_and_inputs_stay_as_they_were() -> None:
    case = CASES["mha_ragged"].override(hbm_bytes=1 << 16)
    workload = build(case)
    images = run(workload).images
    declared = region_mask([*workload.outputs, *workload.scratch], "vram", case.hardware.vram_elems)
    np.testing.assert_array_equal(images.vram[~declared], workload.images.vram[~declared])
    np.testing.assert_array_equal(images.hbm, workload.images.hbm)
    np.testing.assert_array_equal(images.fpmem[:10], workload.images.fpmem[:10])


def test_packed_output_is_the_slab_output_without_its_gaps() -> None:
    case = CASES["mha_ragged"].override(hbm_bytes=1 << 16)
    slabs, packed = build(case), build(case.override(packed_output=True))
    assert packed.comparison.rows_per_batch == 20 and slabs.comparison.rows_per_batch == 32
    np.testing.assert_array_equal(
        result_values(slabs, run(slabs).images.vram), result_values(packed, run(packed).images.vram)
    )


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_few_matrix_tiles_are_reused(slots: int) -> None:
    """The key tiles of a head take turns in as many slots as MSRAM has."""
    hw = hardware(16, 4, msram_tiles=2 * slots)
    check(Case("few", hardware=hw, batch=2, seq=70, heads=2, head_dim=16, causal=True, sigma=1.0))


def test_each_key_tile_is_fetched_once_when_msram_holds_them_all() -> None:
    words = build(Case("once", hardware=hardware(16, 4), seq=64, heads=1, head_dim=16)).words
    fetches = [word for word in words if word & 0x3F == INSTRUCTIONS["H_PREFETCH_M"].opcode]
    assert len(fetches) == 2 * 4


def test_no_instruction_is_spent_on_future_tiles() -> None:
    shape = AttentionShape(1, 100, 100, 1, 16, causal=True)
    tiles = query_tiles(shape, 16)
    assert [len(tile.key_tiles) for tile in tiles] == [1, 2, 3, 4, 5, 6, 7]
    for tile in tiles:
        assert [key.shift for key in tile.key_tiles] == [None] * tile.index + [0]
    everything = query_tiles(AttentionShape(1, 100, 100, 1, 16, causal=False), 16)
    assert [len(tile.key_tiles) for tile in everything] == [7] * 7


def test_tiles_and_masks_together_are_the_causal_mask() -> None:
    """Every (query, key) pair is visible through the tiles exactly when its position says so."""
    for seq, kv_seq in ((1, 1), (5, 5), (16, 16), (17, 17), (40, 40), (3, 11), (16, 20), (5, 40), (40, 47)):
        seen = np.zeros((seq, kv_seq), dtype=bool)
        for tile in query_tiles(AttentionShape(1, seq, kv_seq, 1, 16, causal=True), 16):
            for key in tile.key_tiles:
                for row in range(tile.rows):
                    visible = key.keys if key.shift is None else min(key.keys, row + key.shift + 1)
                    columns = key.index * 16 + np.arange(max(0, visible))
                    seen[tile.index * 16 + row, columns] = True
        np.testing.assert_array_equal(seen, np.tri(seq, kv_seq, kv_seq - seq, dtype=bool))


def test_the_diagonal_is_found_by_position() -> None:
    assert diagonal_shift(first_query=64, first_key=0, keys=64) is None
    assert diagonal_shift(first_query=63, first_key=0, keys=64) is None
    assert diagonal_shift(first_query=62, first_key=0, keys=64) == 62
    assert diagonal_shift(first_query=64, first_key=64, keys=1) is None
    assert diagonal_shift(first_query=64, first_key=64, keys=2) == 0


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_shifted_mask_across_tiles_is_not_there_yet(kernel: str) -> None:
    case = Case("cache", hardware=hardware(16, 4), seq=4, kv_seq=20, head_dim=16, causal=True, kernel=kernel)
    with pytest.raises(NotImplementedError, match="causal mask with KV_SEQ != SEQ across tiles"):
        build(case)


@pytest.mark.parametrize("causal", [False, True])
def test_the_golden_against_plain_loops(causal: bool) -> None:
    rng = np.random.default_rng(3)
    q, k, v = rng.standard_normal((2, 2, 3, 4)), *rng.standard_normal((2, 2, 2, 5, 4))
    got = golden.attention(q, k, v, causal)
    for batch, head, row in np.ndindex(2, 2, 3):
        keys = range(row + 3 if causal else 5)
        logits = [sum(q[batch, head, row] * k[batch, head, key]) / 2.0 for key in keys]
        weights = [np.exp(logit) for logit in logits]
        for column in range(4):
            terms = sum(w * v[batch, head, key, column] for key, w in zip(keys, weights, strict=True))
            assert got[batch, head, row, column] == pytest.approx(terms / sum(weights), rel=1e-12)


def test_the_golden_of_one_key_is_its_value() -> None:
    v = np.array([Fraction(1, 3), 2, -5, 0], dtype=np.float64).reshape(1, 1, 1, 4)
    np.testing.assert_array_equal(golden.attention(np.ones((1, 1, 1, 4)), np.ones((1, 1, 1, 4)), v, True), v)


def test_the_golden_refuses_what_has_no_answer() -> None:
    q, k = np.zeros((1, 1, 3, 4)), np.zeros((1, 1, 2, 4))
    with pytest.raises(ValueError, match="sees no key"):
        golden.attention(q, k, k, causal=True)
    with pytest.raises(ValueError, match="shapes disagree"):
        golden.attention(q, k, np.zeros((1, 1, 3, 4)), causal=False)
