"""Addresses have names: every word of a tensor is found again as batch, head, row and column."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.kernels.layout.room import Room
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.numerics import bf16_from_float
from plena_ref.machine.state import MemoryImages
from plena_ref.machine.tensors import NamedTensor
from plena_ref.workloads.build import build
from plena_ref.workloads.case import make_case

HW = Hardware(16, 4, 16)
CASE = make_case("names", HW, batch=2, seq=5, kv_seq=20, heads=3, head_dim=24, causal=True)


def tensor(name: str) -> NamedTensor:
    """A tensor of the case by name."""
    (found,) = [place for place in build(CASE).tensors if place.name == name]
    return found


@pytest.mark.parametrize("name", ["Q", "O", "K", "V", "S", "Qs", "the softmax state"])
def test_every_element_is_found_at_its_address(name: str) -> None:
    place = tensor(name)
    addresses = place.addresses()
    assert addresses.shape == (place.rows, place.cols) and len(np.unique(addresses)) == addresses.size
    assert place.holds(addresses.reshape(-1)).all() and not place.holds(np.array([place.base - 1])).any()
    found = place.elements(addresses.reshape(-1))
    row = (found.batch * place.rows_per_batch + found.row).reshape(addresses.shape)
    column = (found.head * place.head_cols + found.column).reshape(addresses.shape)
    assert (row == np.arange(place.rows)[:, None]).all() and (column == np.arange(place.cols)).all()


def test_batches_and_heads_are_those_of_the_layout() -> None:
    """By the layout's own arithmetic: batch 1, head 2, row 3, column 20 of Q, K and O."""
    operands = CASE.problem.place(CASE, Room(HW, 1 << 12)).operator.operands
    q_at = operands.q.batch_view(1).address(3, 2 * operands.head_cols + 20)
    k_at = operands.k.base + operands.k.offset(operands.kv_rows_per_batch + 3, 2 * operands.kv_head_cols + 20)
    for name, address in (("Q", q_at), ("K", k_at)):
        found = tensor(name).elements(np.array([address]))
        assert [int(part[0]) for part in (found.batch, found.head, found.row, found.column)] == [1, 2, 3, 20]


def test_a_scale_byte_has_the_place_of_its_block() -> None:
    keys = tensor("K")
    element = keys.addresses()[33, 40]
    scale = keys.scale_base + (element - keys.base) // HW.mx_block
    found = keys.elements(np.array([scale]))
    assert found.scales[0] and keys.holds(np.array([scale])).all()
    assert [int(part[0]) for part in (found.batch, found.row, found.head, found.column)] == [1, 1, 1, 8]


def test_values_are_those_that_were_staged() -> None:
    work = build(CASE)
    drawn = CASE.problem.draw(CASE)
    q = tensor("Q").values(work.images)[:5, :24]
    np.testing.assert_array_equal(q, drawn.q[0, 0])
    k = tensor("K").values(work.images)[32 : 32 + 20, 64 : 64 + 24]
    assert np.abs(k - drawn.k[1, 2]).max() < 0.07 * np.abs(drawn.k).max()


def test_bf16_in_hbm_has_two_bytes_an_element() -> None:
    hw = Hardware(16, 4, hbm_bf16="m0")
    room, images = Room(hw, 64), MemoryImages.poisoned(hw)
    values = np.arange(32 * 16, dtype=np.float64).reshape(32, 16)
    placed = room.hbm.tensor("W", 32, 16)
    placed.store(images.hbm, bf16_from_float(values))
    (named,) = room.placed
    assert named.elements(np.array([placed.base + 2 * (16 * 3 + 5) + 1])).row[0] == 3
    np.testing.assert_array_equal(named.values(images)[:8], values[:8])
