"""Padding columns of 0 where products fill a part of the last column block."""

from __future__ import annotations

import pytest

from plena_ref.kernels.layout.allocators import VramAllocator
from plena_ref.kernels.padding import ClearPadding
from plena_ref.kernels.program import Program
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.machine.regions import region_mask
from plena_ref.machine.state import POISON_BF16, MemoryImages

HW = Hardware(16, 4, vram_elems=1 << 12, hbm_bytes=1 << 12)


@pytest.mark.parametrize(("rows", "cols"), [(1, 5), (7, 20), (3, 33)])
def test_the_last_block_and_nothing_else_becomes_0(rows: int, cols: int) -> None:
    """Whatever it held before: NaN does not survive."""
    vram = VramAllocator(HW)
    vram.tensor("before", 2, 16)
    clear = ClearPadding(HW, vram.tensor("Y", rows, cols, 8))
    p = Program(HW, clear.title)
    clear.emit(p)
    words, _ = p.finish()
    machine = Machine(HW, MemoryImages.poisoned(HW), HW.hbm_bytes)
    assert machine.run(words).status == "stopped"
    cleared = region_mask(clear.outputs(), "vram", HW.vram_elems)
    assert cleared.sum() == rows * 16 and clear.scratch() == []
    assert (machine.images.vram[cleared] == 0).all()
    assert (machine.images.vram[~cleared] == POISON_BF16).all()
