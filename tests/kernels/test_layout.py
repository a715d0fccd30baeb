"""Tensor placement: addresses, views, slabs, HBM bytes and the comparison parameters."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.kernels.layout.allocators import HbmAllocator, VramAllocator, WordAllocator
from plena_ref.kernels.layout.batched import BatchedVram, remap_rows
from plena_ref.kernels.layout.hbm import HbmTensor
from plena_ref.kernels.layout.rules import LayoutError
from plena_ref.kernels.layout.vram import VramTensor
from plena_ref.machine import mx
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.hbm_format import HbmFormat
from plena_ref.machine.regions import Region, region_mask
from plena_ref.verdict.comparison import ComparisonParameters
from plena_ref.workloads.placement import comparison_of

HW = Hardware(16, 4, vram_elems=1 << 14, hbm_bytes=1 << 16)
MX, BF16 = HbmFormat("ocp", 8), HbmFormat("ocp", 8, bf16=True)


def test_column_blocks_lie_physical_rows_apart() -> None:
    tensor = VramTensor("t", 320, rows=5, cols=40, physical_rows=32, mlen=16)
    assert tensor.column_blocks == 3 and tensor.physical_cols == 48
    for row, col in ((0, 0), (4, 15), (4, 16), (0, 39), (31, 47)):
        expected = 320 + (col // 16) * 32 * 16 + row * 16 + col % 16
        assert tensor.address(row, col) == expected
    assert len(np.unique(tensor.addresses())) == 5 * 40
    assert tensor.addresses()[4, 39] == tensor.address(4, 39)


def test_a_row_view_keeps_the_physical_height() -> None:
    parent = VramTensor("t", 0, rows=48, cols=40, physical_rows=48, mlen=16)
    view = parent.row_view(16, 4)
    assert view.address(2, 33) == parent.address(18, 33)
    assert view.block_stride == parent.block_stride


def test_a_column_view_begins_at_a_block() -> None:
    parent = VramTensor("t", 0, rows=48, cols=48, physical_rows=48, mlen=16)
    assert parent.column_view(32, 16).address(3, 5) == parent.address(3, 37)
    with pytest.raises(LayoutError, match="begins no block"):
        parent.column_view(8, 16)


def test_batch_views_address_the_parents_elements() -> None:
    slabs = VramAllocator(HW).slabs("q", batch=3, seq=20, cols=40)
    assert slabs.rows_per_batch == 32
    for batch in range(3):
        view = slabs.batch_view(batch)
        for row, col in ((0, 0), (19, 39), (7, 16)):
            assert view.address(row, col) == slabs.parent.address(batch * 32 + row, col)


def test_packed_batches_lie_at_seq_stride() -> None:
    packed = VramAllocator(HW).packed("o", batch=3, seq=5, cols=16)
    assert packed.batch_view(2).address(1, 3) == packed.parent.address(11, 3)
    assert packed.parent.physical_rows == 16


def test_store_and_extract_agree_on_where_active_rows_are() -> None:
    allocator = VramAllocator(HW)
    allocator.tensor("in front", 7, 16)
    slabs = allocator.slabs("o", batch=3, seq=20, cols=40)
    values = np.arange(3 * 20 * 40, dtype=np.uint16).reshape(3, 20, 40)
    vram = np.full(HW.vram_elems, 0xFFA5, np.uint16)
    slabs.store(vram, values)
    parameters = comparison_of(slabs)
    compact = parameters.extract(vram)
    assert compact.shape == (60, 48)
    np.testing.assert_array_equal(compact[:, :40].reshape(3, 20, 40), values)
    assert (compact[:, 40:] == 0xFFA5).all()
    covered = region_mask(slabs.active_regions(), "vram", HW.vram_elems)
    assert covered.sum() == 60 * 48
    np.testing.assert_array_equal(vram != 0xFFA5, covered & (vram != 0xFFA5))


def test_comparison_parameters_describe_slabs_and_packed_rows() -> None:
    slabs = VramAllocator(HW).slabs("o", batch=2, seq=4, cols=32)
    assert comparison_of(slabs) == ComparisonParameters(
        start_row_idx=0,
        num_rows=64,
        num_batches=8,
        elements_per_batch=32,
        row_dim=16,
        physical_rows=32,
        use_stride_mode=True,
        rows_per_batch=16,
        active_seq_per_batch=4,
    )
    packed = comparison_of(VramAllocator(HW).packed("o", batch=2, seq=4, cols=16))
    assert (packed.rows_per_batch, packed.physical_rows, packed.use_stride_mode) == (4, 16, False)
    assert packed.batch == 2


def test_remapping_puts_packed_rows_back_into_slabs() -> None:
    compact = np.arange(1, 13, dtype=np.uint16).reshape(6, 2)
    slabs = remap_rows(compact, seq=3, rows_per_batch=8, fill=99)
    np.testing.assert_array_equal(slabs[0:3], compact[:3])
    np.testing.assert_array_equal(slabs[8:11], compact[3:])
    assert (slabs[3:8] == 99).all() and (slabs[11:] == 99).all()
    with pytest.raises(LayoutError):
        remap_rows(compact, seq=4, rows_per_batch=8)


@pytest.mark.parametrize(("rows", "cols", "footprint"), [(3, 8, 64), (16, 16, 288), (33, 8, 352)])
def test_hbm_footprint_pads_elements_and_scales(rows: int, cols: int, footprint: int) -> None:
    assert HbmTensor("k", 0, rows, cols, MX).footprint == footprint
    assert HbmTensor("k", 0, rows, cols, BF16).footprint == -(-2 * rows * cols // 32) * 32


@pytest.mark.parametrize(
    ("form", "sizes"), [(MX, (16, 48, 37)), (BF16, (32, 96, 74))], ids=["scaled", "bf16"]
)
def test_elements_in_hbm_follow_one_another(form: HbmFormat, sizes: tuple[int, int, int]) -> None:
    """Scales come directly after them, or there are none."""
    tensor = HbmTensor("k", 64, rows=3, cols=16, form=form)
    values = np.arange(0x3F80, 0x3F80 + 48, dtype=np.uint16).reshape(3, 16)
    hbm = np.full(256, 0xFF, np.uint8)
    tensor.store(hbm, values)
    assert (tensor.row_bytes, tensor.element_bytes, tensor.offset(2, 5)) == sizes
    stored = [values.view(np.uint8)] if form.bf16 else mx.encode_rows(values)
    wanted = np.concatenate([part.ravel() for part in stored])
    np.testing.assert_array_equal(hbm[64 : 64 + wanted.size], wanted)
    assert (hbm[64 + wanted.size :] == 0xFF).all() and (hbm[:64] == 0xFF).all()


def test_a_tensor_that_transfers_hold_differently_is_refused() -> None:
    allocator = HbmAllocator(Hardware(16, 4, hbm_bf16="m0"))
    with pytest.raises(LayoutError, match="K: HBM_BF16 = m0 must hold m0 and v1 alike"):
        allocator.tensor("K", 1, 16, (("m", 0), ("v", 1)))
    assert allocator.tensor("K", 1, 16, (("v", 0), ("v", 1))).form == MX


@pytest.mark.parametrize(("mlen", "blen", "alignment"), [(16, 4, 16), (128, 32, 128), (256, 64, 65536)])
def test_hbm_bases_are_aligned(mlen: int, blen: int, alignment: int) -> None:
    allocator = HbmAllocator(Hardware(mlen, blen), start=8)
    first, second = allocator.tensor("a", 3, mlen), allocator.tensor("b", 1, mlen)
    assert first.base == alignment and second.base % alignment == 0
    assert second.base >= first.base + first.footprint


def test_no_words_are_no_tensor() -> None:
    words = WordAllocator("FP_MEM", "FP_WORDS", 16)
    assert [words.take(name, count) for name, count in (("a", 4), ("b", 0), ("c", 12))] == [0, 4, 4]
    assert [(tensor.name, tensor.heads) for tensor in words.placed] == [("a", 1), ("c", 1)]


def test_full_memories_say_so() -> None:
    with pytest.raises(LayoutError, match="VRAM is full: big needs"):
        VramAllocator(HW).tensor("big", HW.vram_rows + 1, 16)
    with pytest.raises(LayoutError, match="HBM is full: big needs"):
        HbmAllocator(HW).tensor("big", 1 << 13, 16)


def test_broken_placements_are_refused() -> None:
    with pytest.raises(LayoutError, match="not a multiple of MLEN"):
        VramTensor("t", 8, 1, 16, 1, 16)
    with pytest.raises(LayoutError, match="do not fit"):
        VramTensor("t", 0, 5, 16, 4, 16)
    with pytest.raises(LayoutError, match="outside"):
        VramTensor("t", 0, 4, 16, 4, 16).address(4)
    parent = VramTensor("t", 0, 32, 16, 32, 16)
    with pytest.raises(LayoutError, match="below seq"):
        BatchedVram(parent, 2, 20, 16)
    with pytest.raises(LayoutError, match="do not fit"):
        BatchedVram(parent, 3, 4, 16)
    with pytest.raises(LayoutError, match="MX_BLOCK"):
        HbmTensor("k", 0, 1, 12, MX)


def test_region_mask_covers_only_its_memory() -> None:
    regions = [Region("vram", 2, 4, "a"), Region("msram", 0, 9, "b")]
    assert region_mask(regions, "vram", 6).tolist() == [False, False, True, True, False, False]


def test_the_last_tensor_ends_a_beat_and_nothing_follows() -> None:
    """Whatever its size, its last scale byte is the last of a beat."""
    for rows in (1, 7, 64):
        allocator = HbmAllocator(Hardware(8, 4), 4096)
        allocator.tensor("before", 3, 8)
        last = allocator.last_tensor("table", rows, 8)
        assert allocator.next_free == last.base + last.scale_offset + rows and allocator.next_free % 64 == 0
        with pytest.raises(LayoutError, match="after: nothing lies in HBM after table"):
            allocator.tensor("after", 1, 8)
