"""Flash attention on the reference machine: shapes, tiles, masks, and what it may touch."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.analysis import schedule
from plena_ref.isa.instructions import INSTRUCTIONS
from plena_ref.kernels.attention import flash_memory
from plena_ref.kernels.attention.runs import RUN
from plena_ref.kernels.attention.shape import AttentionShape
from plena_ref.kernels.attention.tiling import KeyTile, query_tiles
from plena_ref.kernels.layout.batched import remap_rows
from plena_ref.machine.regions import region_mask
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.accuracy import result_values
from plena_ref.verdict.tolerance import STRICT
from plena_ref.workloads.attention import Attention, block_tiles
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.build import build
from plena_ref.workloads.case import make_case
from plena_ref.workloads.registry import CASES
from tests.kernels.checking import check, completed, executed, hardware, run

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
    monkeypatch.setattr(flash_memory, "BLOCK_TILES", tiles)
    monkeypatch.setattr(schedule, "WIDEST", tiles)
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

    def visible(key: KeyTile, group: int) -> int:
        """Blocks of 4 keys that 4 rows see; of a tile that a window or a diagonal cuts elsewhere, all."""
        if key.low is None and key.shift in (None, 0):
            return -(-key.keys // 4) if key.shift is None else group + 1
        return 4

    hw = hardware(16, 4)
    case = make_case(
        "count", hardware=hw, seq=seq, kv_seq=kv_seq, heads=1, head_dim=16, causal=True, window=window
    )
    shape = case.problem.shape
    pairs = [(tile, key) for tile in query_tiles(shape, 16) for key in tile.key_tiles]
    assert len(pairs) == tiles and sum(key.mask(16) is not None for _, key in pairs) == masked
    counts = completed(build(case))
    blocks = sum(4 * -(-tile.rows // 4) for tile, _ in pairs)
    # Blocks of 4 by 4 scores of which a row sees some; those past a diagonal or the last key cost nothing.
    scores = sum(sum(visible(key, group) for group in range(-(-tile.rows // 4))) for tile, key in pairs)
    # The products of P with the values of all tiles of a key block leave the array together.
    together = [(tile, key) for tile in query_tiles(shape, 16) for key in tile.key_blocks(8, RUN)]
    outputs = sum(4 * -(-tile.rows // 4) for tile, _ in together)
    # Once in the program, blocks of staged scores that are never computed become 0.
    groups = range(-(-min(16, seq) // 4))
    masks = {key.mask(16): key for _, key in pairs if key.mask(16) is not None}
    zeros = sum(4 - visible(key, group) for key in masks.values() for group in groups)
    written = scores + outputs + zeros
    assert (counts["M_TMM"], counts["M_MM"], counts["M_MM_WO"]) == (scores, blocks, written)
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
