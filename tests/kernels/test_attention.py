"""The attention kernels on the reference machine: shapes, tiles, masks, and what they may touch."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from plena_ref.golden import attention as golden
from plena_ref.isa.instructions import INSTRUCTIONS
from plena_ref.kernels import attention
from plena_ref.kernels.layout.batched import remap_rows
from plena_ref.kernels.operands import AttentionShape
from plena_ref.kernels.tiling import diagonal_shift, query_tiles
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.machine.reference import Machine
from plena_ref.machine.regions import region_mask
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.accuracy import result_values
from plena_ref.verdict.tolerance import BF16_LIMITED, STRICT
from plena_ref.workloads.attention import Attention, block_tiles
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import make_case
from plena_ref.workloads.registry import CASES
from tests.cases import with_problem
from tests.kernels.checking import check, executed, hardware, run

PLAIN = ("plain_attention", "plain_attention_element_offsets")


#: Every registered case of the family.
ATTENTION_CASES = [name for name, case in CASES.items() if isinstance(case.problem, Attention)]


@pytest.mark.parametrize("name", ATTENTION_CASES)
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
        make_case(
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


@pytest.mark.parametrize(
    ("mlen", "blen", "seq", "kv_seq"),
    [
        (16, 4, 1, 100),
        (16, 4, 4, 20),
        (16, 4, 15, 33),
        (16, 4, 16, 47),
        (16, 4, 20, 37),
        (16, 16, 33, 49),
        (8, 4, 1, 64),
        (8, 8, 19, 30),
        (64, 16, 3, 130),
    ],
)
@pytest.mark.parametrize("kernel", ["attention", *PLAIN])
def test_queries_behind_a_kv_cache(mlen: int, blen: int, seq: int, kv_seq: int, kernel: str) -> None:
    """The queries are the last positions: the diagonal lies anywhere in a tile, and may cross two."""
    check(
        make_case(
            "cache",
            hardware=hardware(mlen, blen),
            batch=2,
            seq=seq,
            kv_seq=kv_seq,
            heads=2,
            head_dim=16,
            causal=True,
            sigma=1.0,
            kernel=kernel,
        )
    )


@pytest.mark.parametrize("sinks", [False, True])
@pytest.mark.parametrize("window", [1, 2, 5, 16, 17, 40, 1000])
@pytest.mark.parametrize(("seq", "kv_seq"), [(20, 20), (40, 47), (1, 50), (16, 32), (5, 36)])
def test_sliding_windows(seq: int, kv_seq: int, window: int, sinks: bool) -> None:
    """Windows below, at and above a tile; some rows see nothing of the first tile of their window."""
    check(
        make_case(
            "window",
            hardware=hardware(16, 4),
            seq=seq,
            kv_seq=kv_seq,
            heads=2,
            head_dim=20,
            causal=True,
            window=window,
            sinks=sinks,
            sigma=1.0,
        )
    )


@pytest.mark.parametrize("causal", [False, True])
def test_sinks_join_the_denominator(causal: bool) -> None:
    """Several batches and key tiles; a sink changes the result, and each head has its own."""
    case = make_case(
        "sinks", hardware=hardware(16, 4), batch=2, seq=20, heads=4, head_dim=16, causal=causal, sigma=1.0
    )
    workload = build(case.override(sinks=True))
    sinks = np.array([3.0, 2.0, 4.0, 5.0])
    workload.images.fpmem[10 + 3 * 16 :][:4] = bf16_from_float(sinks)
    data = case.problem.roundings(case).problem
    inputs = (data.q, data.k, data.v, causal, None)
    wanted, unsunk = golden.attention(*inputs, sinks), golden.attention(*inputs)
    assert np.abs(wanted - unsunk).max(axis=(0, 2, 3)).min() > 0.1
    assert np.abs(wanted - golden.attention(*inputs, sinks[::-1])).max(axis=(0, 2, 3)).min() > 0.1
    images = run(workload).images
    got = result_values(workload, images.vram).transpose(0, 2, 1, 3)
    np.testing.assert_allclose(got, wanted, rtol=0.02, atol=0.02)
    check(case.override(sinks=True))


def test_a_sink_far_above_every_score_takes_all_the_weight() -> None:
    workload = build(make_case("sink", hardware=hardware(16, 4), seq=5, heads=1, head_dim=16, sinks=True))
    workload.images.fpmem[10 + 3 * 16] = 0x43C8  # 400.0
    assert (result_values(workload, run(workload).images.vram) == 0).all()


@pytest.mark.parametrize("tiles", [1, 2, 3])
@pytest.mark.parametrize(
    ("seq", "kv_seq", "values"),
    [
        (37, 37, {"causal": True}),
        (1, 70, {"causal": True, "batch": 2}),
        (20, 100, {"causal": False, "sinks": True}),
        (36, 80, {"causal": True, "window": 35, "heads": 2}),
        (21, 90, {"causal": True, "window": 50, "sinks": True, "heads": 4, "kv_heads": 2}),
    ],
)
def test_the_softmax_is_online_from_block_to_block(
    tiles: int, seq: int, kv_seq: int, values: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of few key tiles: as many blocks as that needs, and the result of one block."""
    monkeypatch.setattr(attention, "BLOCK_TILES", tiles)
    case = make_case(
        "online", hardware=hardware(16, 4), seq=seq, kv_seq=kv_seq, head_dim=24, sigma=1.0, **values
    )
    assert block_tiles(case) == tiles
    check(case)


def test_a_block_is_as_wide_as_memory_allows() -> None:
    """Eight key tiles; or what MSRAM or VRAM holds."""
    case = make_case("wide", hardware=hardware(16, 4), seq=4, kv_seq=200, heads=1, head_dim=16)
    assert [block_tiles(case.override(kv_seq=kv_seq)) for kv_seq in (16, 17, 128, 129)] == [1, 2, 8, 8]
    assert block_tiles(case.override(msram_tiles=10)) == 5
    for vram_elems, tiles in ((1 << 11, 2), (1 << 12, 8)):
        tight = case.override(vram_elems=vram_elems)
        assert block_tiles(tight) == tiles
        check(tight)
    with pytest.raises(CaseError, match="VRAM is full"):
        build(case.override(vram_elems=1 << 10))


@pytest.mark.parametrize("kernel", ["attention", *PLAIN])
@pytest.mark.parametrize(
    ("heads", "kv_heads", "seq", "kv_seq", "msram_tiles"),
    [(4, 2, 20, 20, 64), (4, 1, 5, 40, 64), (4, 1, 20, 40, 4), (6, 3, 1, 70, 64), (2, 1, 33, 33, 2)],
)
def test_grouped_queries(
    kernel: str, heads: int, kv_heads: int, seq: int, kv_seq: int, msram_tiles: int
) -> None:
    """MSRAM holds the keys of a group, or not."""
    hw = hardware(16, 4, msram_tiles=msram_tiles)
    sizes = {"batch": 2, "seq": seq, "kv_seq": kv_seq, "heads": heads, "kv_heads": kv_heads, "head_dim": 16}
    check(make_case("grouped", hw, kernel, causal=True, sigma=1.0, **sizes))


def test_keys_are_fetched_once_a_group_when_they_fit() -> None:
    """Two batches, two groups of three heads, five key tiles of two blocks; once a group or once a head."""
    case = make_case(
        "fetch", hardware=hardware(16, 4), batch=2, seq=4, kv_seq=70, heads=6, kv_heads=2, head_dim=32
    )
    assert executed(build(case).words)["H_PREFETCH_M"] == 2 * 2 * 5 * 4
    assert executed(build(case.override(kv_heads=6)).words)["H_PREFETCH_M"] == 2 * 6 * 5 * 4
    assert executed(build(case.override(msram_tiles=20)).words)["H_PREFETCH_M"] == 2 * 2 * 5 * 4
    assert executed(build(case.override(msram_tiles=16)).words)["H_PREFETCH_M"] == 2 * 6 * 5 * 4


def test_everything_at_once_fits_the_registers() -> None:
    """Batches, groups, sinks, a window, a cache, a head of several column blocks, few slots or many."""
    for msram_tiles in (4, 64):
        hw = hardware(16, 4, msram_tiles=msram_tiles)
        sizes = {"batch": 2, "seq": 21, "kv_seq": 50, "heads": 4, "kv_heads": 2, "head_dim": 24}
        options = {"causal": True, "window": 19, "sinks": True, "packed_output": True}
        check(make_case("all", hw, sigma=1.0, **sizes, **options))


@pytest.mark.parametrize("kernel", PLAIN)
@pytest.mark.parametrize("extra", [{"window": 3}, {"sinks": True}])
def test_the_plain_form_has_neither_window_nor_sinks(kernel: str, extra: dict) -> None:
    case = make_case("plain", hardware=hardware(16, 4), causal=True, head_dim=16, kernel=kernel, **extra)
    with pytest.raises(CaseError, match="plain form has neither WINDOW nor SINKS"):
        build(case)


@pytest.mark.parametrize(("mlen", "blen"), [(128, 32), (256, 64)])
def test_large_tiles(mlen: int, blen: int) -> None:
    check(
        make_case(
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
    sizes = {"batch": batch, "seq": seq, "kv_seq": kv_seq, "heads": heads, "head_dim": head_dim}
    check(make_case("plain", hardware(mlen, blen), kernel, causal=causal, sigma=1.0, **sizes))


def test_both_column_offset_forms_give_the_same_memory() -> None:
    case = CASES["mha_ragged"].override(hbm_bytes=1 << 20)
    images = [run(build(case.override(kernel=kernel))).images for kernel in PLAIN]
    np.testing.assert_array_equal(images[0].vram, images[1].vram)
    words = [build(case.override(kernel=kernel)).words for kernel in PLAIN]
    assert words[0] != words[1]


@pytest.mark.parametrize("kernel", ["attention", "packed_attention", *PLAIN])
@pytest.mark.parametrize(("seq", "kv_seq", "causal"), [(20, 37, True), (20, 37, False), (33, 33, True)])
def test_a_finite_mask_gives_the_same_bits(kernel: str, seq: int, kv_seq: int, causal: bool) -> None:
    """exp(-6e4 - m) is 0 as exp(-inf) is: decoders that stage -6e4 get what -inf gives."""
    sizes = {"batch": 2, "seq": seq, "kv_seq": kv_seq, "heads": 2, "kv_heads": 1, "head_dim": 8}
    case = make_case("mask", hardware(16, 4, hlen=8), kernel, causal=causal, sigma=1.0, **sizes)
    got = []
    for mask_value in (-np.inf, -6e4):
        workload = build(with_problem(case, mask_value=mask_value))
        assert workload.images.fpmem[2] == (0xFF80 if mask_value == -np.inf else 0xC76A)
        got.append(result_values(workload, check(workload.case).images.vram))
    np.testing.assert_array_equal(*got)


def test_packed_rows_go_back_into_slabs_for_the_next_operator() -> None:
    """O at seq stride, remapped as a decoder does, is O in slabs; comparison parameters of both find it."""
    case = CASES["mha_ragged"].override(hbm_bytes=1 << 16)
    slabs, packed = build(case), build(case.override(packed_output=True))
    rows = [w.comparison.extract(run(w).images.vram) for w in (slabs, packed)]
    np.testing.assert_array_equal(*rows)
    remapped = remap_rows(rows[1], seq=20, rows_per_batch=slabs.comparison.rows_per_batch)
    active = np.arange(96) % 32 < 20
    np.testing.assert_array_equal(remapped[active], rows[0])
    assert (remapped[~active] == 0).all()


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
    check(make_case("few", hardware=hw, batch=2, seq=70, heads=2, head_dim=16, causal=True, sigma=1.0))


def test_each_key_tile_is_fetched_once_when_msram_holds_them_all() -> None:
    words = build(make_case("once", hardware=hardware(16, 4), seq=64, heads=1, head_dim=16)).words
    fetches = [word for word in words if word & 0x3F == INSTRUCTIONS["H_PREFETCH_M"].opcode]
    assert len(fetches) == 2 * 4


@pytest.mark.parametrize(
    ("seq", "kv_seq", "window", "tiles", "masked"),
    [
        # Tiles of MLEN = 16 that hold a visible pair, and those of them that hold a hidden one.
        (64, 64, None, 10, 4),
        (64, 64, 16, 7, 7),
        (64, 64, 1, 4, 4),
        (1, 100, None, 7, 1),
        (1, 100, 20, 2, 1),
        (1, 96, None, 6, 0),
        (1, 96, 32, 2, 0),
        (4, 100, None, 7, 1),
        (20, 100, 30, 6, 5),
        (32, 40, None, 5, 4),
    ],
)
def test_instructions_are_spent_on_visible_tiles_only(
    seq: int, kv_seq: int, window: int | None, tiles: int, masked: int
) -> None:
    """Products, softmax rows and prefetches number what the visible tiles need; masks, the masked ones."""
    hw = hardware(16, 4)
    case = make_case(
        "count", hardware=hw, seq=seq, kv_seq=kv_seq, heads=1, head_dim=16, causal=True, window=window
    )
    shape = case.problem.shape
    pairs = [(tile, key) for tile in query_tiles(shape, 16) for key in tile.key_tiles]
    assert len(pairs) == tiles and sum(key.mask(16) is not None for _, key in pairs) == masked
    workload = build(case)
    counts = executed(workload.words)
    assert (
        sum(counts.values())
        == Machine(hw, workload.images.copy(), workload.limit).run(workload.words).instructions
    )
    blocks = sum(4 * -(-tile.rows // 4) for tile, _ in pairs)
    # The products of P with the values of all tiles of a key block leave the array together.
    together = [(tile, key) for tile in query_tiles(shape, 16) for key in tile.key_blocks(8)]
    outputs = sum(4 * -(-tile.rows // 4) for tile, _ in together)
    assert (counts["M_TMM"], counts["M_MM"], counts["M_MM_WO"]) == (blocks, blocks, blocks + outputs)
    assert counts["V_RED_MAX"] == sum(tile.rows for tile, _ in pairs)
    assert counts["H_PREFETCH_M"] == 2 * len({key.index for _, key in pairs})
    mask_rows = sum(tile.rows for tile, key in pairs if key.mask(16) is not None)
    window_rows = sum(
        rows - max(0, -low)
        for low, rows in {
            key.mask(16): (key.low, min(16, seq)) for _, key in pairs if key.low is not None
        }.values()
    )
    sums = sum(tile.rows for tile, block in together if not block.first)
    assert counts["V_ADD_VV"] == mask_rows + window_rows + sums


def test_no_instruction_is_spent_on_future_tiles() -> None:
    shape = AttentionShape(1, 100, 100, 1, 16, causal=True)
    tiles = query_tiles(shape, 16)
    assert [len(tile.key_tiles) for tile in tiles] == [1, 2, 3, 4, 5, 6, 7]
    for tile in tiles:
        assert [key.shift for key in tile.key_tiles] == [None] * tile.index + [0]
    everything = query_tiles(AttentionShape(1, 100, 100, 1, 16, causal=False), 16)
    assert [len(tile.key_tiles) for tile in everything] == [7] * 7


LENGTHS = ((1, 1), (5, 5), (16, 16), (17, 17), (40, 40), (3, 11), (16, 20), (5, 40), (40, 47), (1, 48))


@pytest.mark.parametrize("window", [None, 1, 2, 15, 16, 17, 30, 100])
@pytest.mark.parametrize(("seq", "kv_seq"), LENGTHS)
def test_tiles_and_masks_together_are_the_mask(seq: int, kv_seq: int, window: int | None) -> None:
    """Every (query, key) pair is visible through the tiles exactly when its position says so.

    A tile is there only when it holds a visible pair, and has a mask only when it holds a hidden one.
    """
    wanted = np.zeros((seq, kv_seq), dtype=bool)
    for query, key in np.ndindex(seq, kv_seq):
        position = query + kv_seq - seq
        wanted[query, key] = key <= position and (window is None or key > position - window)
    seen = np.zeros((seq, kv_seq), dtype=bool)
    for tile in query_tiles(AttentionShape(1, seq, kv_seq, 1, 16, causal=True, window=window), 16):
        for key in tile.key_tiles:
            rows = slice(tile.index * 16, tile.index * 16 + tile.rows)
            part = np.ones((tile.rows, 16), dtype=bool)
            mask = key.mask(16)
            if mask is not None:
                row, column = np.indices(part.shape)
                part = column < mask.keys
                part &= True if mask.shift is None else column <= row + mask.shift
                part &= True if mask.low is None else column >= row + mask.low
                assert not part.all()
            assert not part[:, key.keys :].any(), "padding columns are hidden"
            seen[rows, key.index * 16 : key.index * 16 + key.keys] = part[:, : key.keys]
            assert part.any()
    np.testing.assert_array_equal(seen, wanted)


def visible_through_tiles(shape: AttentionShape, mlen: int) -> np.ndarray:
    """Which keys each query sees (bool, seq x kv_seq) when its tiles are computed and their masks added."""
    seen = np.zeros((shape.seq, shape.kv_seq), dtype=bool)
    row, column = np.indices((mlen, mlen))
    for tile in query_tiles(shape, mlen):
        for key in tile.key_tiles:
            mask = key.mask(mlen)
            part = np.ones((mlen, mlen), dtype=bool)
            if mask is not None:
                part &= column < mask.keys
                part &= mask.shift is None or column <= row + mask.shift
                part &= mask.low is None or column >= row + mask.low
            rows, keys = slice(tile.index * mlen, None), slice(key.index * mlen, None)
            seen[rows, keys][: tile.rows, : key.keys] = part[: tile.rows, : key.keys]
    return seen


@pytest.mark.parametrize("mlen", [8, 16, 32, 64, 128, 256])
def test_the_geometry_of_every_length_and_offset(mlen: int) -> None:
    """MLEN 8: every pair of lengths up to five tiles. Larger tiles: the lengths about each tile's edge."""
    edges = [n for k in range(3) for n in (k * mlen - 1, k * mlen, k * mlen + 1)]
    lengths = range(1, 41) if mlen == 8 else [n for n in edges if n > 0]
    for seq, kv_seq in product(lengths, repeat=2):
        for causal, window in ((False, None), (True, None), (True, 1), (True, mlen + 3)):
            if causal and kv_seq < seq:
                continue
            shape = AttentionShape(1, seq, kv_seq, 1, mlen, causal=causal, window=window)
            wanted = golden.visible_keys(seq, kv_seq, causal, window)
            assert (visible_through_tiles(shape, mlen) == wanted).all(), (seq, kv_seq, causal, window)


def test_the_diagonal_is_found_by_position() -> None:
    assert diagonal_shift(first_query=64, first_key=0, keys=64) is None
    assert diagonal_shift(first_query=63, first_key=0, keys=64) is None
    assert diagonal_shift(first_query=62, first_key=0, keys=64) == 62
    assert diagonal_shift(first_query=64, first_key=64, keys=1) is None
    assert diagonal_shift(first_query=64, first_key=64, keys=2) == 0


@pytest.mark.parametrize(
    ("causal", "window", "sinks"),
    [
        (False, None, None),
        (True, None, None),
        (True, 2, None),
        (True, 1, None),
        (False, None, [1.0, 0.0, -1.0, 2.0]),
        (True, 3, [0.5, -2.0, 9.0, 0]),
    ],
)
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_the_golden_against_plain_loops(
    causal: bool, window: int | None, sinks: list[float] | None, kv_heads: int
) -> None:
    rng = np.random.default_rng(3)
    q, k, v = rng.standard_normal((2, 4, 3, 4)), *rng.standard_normal((2, 2, kv_heads, 5, 4))
    got = golden.attention(q, k, v, causal, window, None if sinks is None else np.array(sinks))
    for batch, head, row in np.ndindex(2, 4, 3):
        shared = head * kv_heads // 4
        last = row + 2 if causal else 4
        keys = [key for key in range(5) if key <= last and (window is None or key > last - window)]
        logits = [sum(q[batch, head, row] * k[batch, shared, key]) / 2.0 for key in keys]
        weights = [np.exp(logit) for logit in logits]
        denominator = sum(weights) + (np.exp(sinks[head]) if sinks else 0.0)
        for column in range(4):
            terms = sum(w * v[batch, shared, key, column] for key, w in zip(keys, weights, strict=True))
            assert got[batch, head, row, column] == pytest.approx(terms / denominator, rel=1e-12)


def test_the_golden_of_one_key_is_its_value() -> None:
    v = np.array([Fraction(1, 3), 2, -5, 0], dtype=np.float64).reshape(1, 1, 1, 4)
    np.testing.assert_array_equal(golden.attention(np.ones((1, 1, 1, 4)), np.ones((1, 1, 1, 4)), v, True), v)


def test_the_golden_refuses_what_has_no_answer() -> None:
    q, k = np.zeros((1, 1, 3, 4)), np.zeros((1, 1, 2, 4))
    with pytest.raises(ValueError, match="sees no key"):
        golden.attention(q, k, k, causal=True)
    with pytest.raises(ValueError, match="sees no key"):
        golden.attention(k, q, q, causal=True, window=0)
    for heads, sinks in ((2, None), (1, np.zeros(2))):
        with pytest.raises(ValueError, match="shapes disagree"):
            golden.attention(q, *np.zeros((2, 1, heads, 2, 4)), causal=False, sinks=sinks)
    with pytest.raises(ValueError, match="shapes disagree"):
        golden.attention(q, k, np.zeros((1, 1, 3, 4)), causal=False)


@pytest.mark.parametrize(
    ("mlen", "blen", "hlen", "heads", "kv_heads"),
    [
        (16, 4, 8, 2, 1),
        (16, 4, 8, 8, 2),
        (16, 8, 8, 4, 2),
        (32, 4, 8, 4, 1),
        (16, 4, 16, 3, 3),
        (16, 4, 4, 32, 8),
        (16, 16, 8, 4, 2),
        (32, 16, 8, 16, 4),
        (16, 8, 4, 8, 1),
        (16, 16, 1, 16, 1),
    ],
)
@pytest.mark.parametrize(
    ("seq", "kv_seq", "causal", "window"),
    [(5, 5, False, None), (20, 37, True, None), (33, 33, True, 7), (1, 40, True, 20)],
)
def test_the_packed_form(
    mlen: int,
    blen: int,
    hlen: int,
    heads: int,
    kv_heads: int,
    seq: int,
    kv_seq: int,
    causal: bool,
    window: int | None,
) -> None:
    """LANES heads at once, HLEN above, at and below BLEN; heads of K in one column tile and in several."""
    sizes = {"batch": 2, "seq": seq, "kv_seq": kv_seq, "heads": heads, "kv_heads": kv_heads, "head_dim": hlen}
    values = {"causal": causal, "window": window, "sigma": 1.0, "tolerance": BF16_LIMITED}
    check(make_case("packed", hardware(mlen, blen, hlen=hlen), "packed_attention", **sizes, **values))


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"head_dim": 16}, "HEAD_DIM must be HLEN"),
        ({"heads": 3, "kv_heads": 1}, "HEADS/KV_HEADS must be a multiple of LANES"),
        ({"heads": 2, "kv_heads": 2}, "HEADS/KV_HEADS must be a multiple of LANES"),
        ({"heads": 6, "kv_heads": 3}, r"KV_HEADS must not exceed MLEN/max\(HLEN, BLEN\) = 2, or be"),
        ({"sinks": 1}, "the packed form has no SINKS"),
        ({"fp_words": 64}, "needs FP_WORDS >= 74"),
        ({"blen": 16, "head_dim": 16, "hlen": 8}, "HEAD_DIM must be HLEN"),
    ],
)
def test_what_does_not_pack(values: dict[str, int], rule: str) -> None:
    sizes = {"heads": 4, "kv_heads": 2, "head_dim": 8}
    case = make_case("packed", hardware(16, 4, hlen=8), "packed_attention", **sizes)
    with pytest.raises(CaseError, match=rule):
        build(case.override(**values))


GQA_SIZES = {"batch": 2, "seq": 20, "heads": 8, "kv_heads": 2, "head_dim": 8}
GQA_PACKED = make_case(
    "gqa_packed", hardware(16, 4, hlen=8), "packed_attention", causal=True, sigma=1.0, **GQA_SIZES
)


def test_the_packed_form_is_as_accurate_as_the_other() -> None:
    assert GQA_PACKED.tolerance == STRICT
    check(GQA_PACKED)


def test_packed_heads_share_products_and_fetches() -> None:
    """Eight heads in four blocks on two heads of K in one tile: a product a block, a fetch a tile."""
    counts = executed(build(GQA_PACKED).words)
    # Query tile 0 sees key tile 0, query tile 1 both: three products a block, two batches.
    assert counts["M_BTMM"] == counts["M_BMM_WO"] == 2 * 4 * 3
    assert counts["M_TMM"] == 0
    assert counts["H_PREFETCH_M"] == 2 * 2 * 2
    apart = executed(build(GQA_PACKED.override(kernel="attention")).words)
    assert sum(counts.values()) < sum(apart.values())
