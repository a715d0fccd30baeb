"""Storing new rows of K and V to their caches: where they go, what follows them, and what stays."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.kernels.cache_store import CacheStore, cache_rows_per_batch
from plena_ref.kernels.layout.batched import BatchedVram
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.program import Program
from plena_ref.kernels.rules import KernelError
from plena_ref.machine import mx
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.machine.reference import Machine
from plena_ref.machine.regions import region_mask
from plena_ref.machine.state import POISON_HBM, MemoryImages

BATCH, COLS = 2, 32


def store(hw: Hardware, seq: int, position: int, positions: int) -> tuple[CacheStore, BatchedVram]:
    """A store of `seq` positions to a cache of `positions`, in its last rows if they are the last."""
    room = Room(hw, 4096)
    rows = room.vram.packed("new K", BATCH, seq, COLS)
    per_batch = cache_rows_per_batch(hw, positions)
    cache = room.hbm.tensor("K", BATCH * per_batch, COLS)
    return CacheStore(hw, rows, cache, per_batch, position, room), rows


@pytest.mark.parametrize(("vstore", "mlen"), [(4, 16), (5, 16), (1, 8), (16, 16)])
@pytest.mark.parametrize(("seq", "position"), [(1, 0), (1, 31), (4, 28), (5, 27), (9, 3), (32, 0)])
def test_new_rows_then_zeros_and_nothing_else(vstore: int, mlen: int, seq: int, position: int) -> None:
    """Up to the last position of either batch; every other byte of HBM keeps its poison."""
    hw = Hardware(mlen, 4, vstore=vstore, vram_elems=1 << 14, hbm_bytes=1 << 16)
    kernel, rows = store(hw, seq, position, 32)
    values = bf16_from_float(np.random.default_rng(seq).standard_normal((BATCH, seq, COLS)))
    images = MemoryImages.poisoned(hw)
    rows.store(images.vram, values)
    p = Program(hw)
    kernel.emit(p)
    machine = Machine(hw, images)
    assert machine.run(p.finish()[0]).status == "stopped"
    cache, per_batch = kernel.cache, kernel.rows_per_batch
    elements, scales = mx.encode_rows(values, hw.mx_block)
    found = images.hbm[cache.base :][: cache.element_bytes].reshape(BATCH, per_batch, COLS)
    found_scales = images.hbm[cache.base + cache.element_bytes :][: cache.element_bytes // 8].reshape(
        BATCH, per_batch, -1
    )
    end = position + seq
    zeros = position + -(-seq // vstore) * vstore
    for got, wanted in ((found, elements), (found_scales, scales)):
        np.testing.assert_array_equal(got[:, position:end], wanted)
        assert not got[:, end:zeros].any()
        assert (got[:, :position] == POISON_HBM).all() and (got[:, zeros:] == POISON_HBM).all()
    declared = region_mask([*kernel.outputs(), *kernel.scratch()], "hbm", hw.hbm_bytes)
    np.testing.assert_array_equal(machine.written.hbm, declared)


def test_positions_beyond_the_cache_are_refused() -> None:
    hw = Hardware(16, 4, vstore=16, vram_elems=1 << 14, hbm_bytes=1 << 16)
    assert cache_rows_per_batch(hw, 32) == 48
    with pytest.raises(KernelError, match="K: 2 caches of 48 rows in 96 do not hold 2 positions from 33 on"):
        store(hw, 2, 33, 32)
    with pytest.raises(KernelError, match="from -1 on"):
        store(hw, 2, -1, 32)


def test_a_cache_of_another_width_is_refused() -> None:
    hw = Hardware(16, 4, vram_elems=1 << 14, hbm_bytes=1 << 16)
    room = Room(hw)
    rows, cache = room.vram.packed("new K", 1, 2, 20), room.hbm.tensor("K", 16, 16)
    with pytest.raises(KernelError, match="K has 16 columns, new K 32"):
        CacheStore(hw, rows, cache, 16, 0, room)
