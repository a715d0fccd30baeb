"""Rows that a word of INT_MEM chooses, copied bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.kernels.copy_row import CopyRow
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.program import Program
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.machine.regions import region_mask
from plena_ref.machine.state import MemoryImages

HW = Hardware(8, 4, vram_elems=1 << 12, hbm_bytes=1 << 12)


@pytest.mark.parametrize("first", [0, 3, 5])
def test_any_rows_and_all_column_blocks(first: int) -> None:
    room = Room(HW)
    source, target = room.vram.tensor("table", 7, 20), room.vram.tensor("rows", 2, 20)
    kernel = CopyRow(HW, source, 9, target)
    images = MemoryImages.poisoned(HW)
    values = np.random.default_rng(0).integers(0, 1 << 16, (7, 24)).astype(np.uint16)
    images.vram[source.addresses(cols=24)] = values
    images.intmem[9] = source.address(first)
    p = Program(HW)
    kernel.emit(p)
    machine = Machine(HW, images)
    assert machine.run(p.finish()[0]).status == "stopped"
    np.testing.assert_array_equal(images.vram[target.addresses(cols=24)], values[first : first + 2])
    declared = region_mask(kernel.outputs(), "vram", HW.vram_elems)
    np.testing.assert_array_equal(machine.written.vram, declared)
