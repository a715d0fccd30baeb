"""Rows less their mean, on the reference machine."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.golden.layer_norm import centred
from plena_ref.kernels.centring import CentringKernel
from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.program import Program
from plena_ref.machine.numerics import bf16_from_float, bf16_to_f32
from plena_ref.machine.reference import Machine
from plena_ref.machine.state import MemoryImages
from plena_ref.workloads.placement import stage_rows
from tests.kernels.checking import hardware

#: Of a difference: the roundings of each centring, and a mean that is off by a share of what was left.
RELATIVE, COMMON = 3 * 2.0**-8, 4 * 2.0**-8


@pytest.mark.parametrize("features", [1, 8, 13, 16, 70])
@pytest.mark.parametrize("rows", [1, 3, 5])
@pytest.mark.parametrize("mean", [0.0, 300.0])
def test_what_is_left_is_right_to_a_share_of_itself(features: int, rows: int, mean: float) -> None:
    """Whatever the mean; padding columns become 0."""
    hw = hardware(8, 4)
    room, p, images = Room(hw), Program(hw), MemoryImages.poisoned(hw)
    x, y = room.vram.tensor("X", rows, features), room.vram.tensor("Y", rows, features, rows + 2)
    inverse = room.fp_mem.take("1/features", 1)
    CentringKernel(hw, x, y, inverse, room).emit(p)
    words, _ = p.finish()
    drawn = bf16_from_float(np.random.default_rng(1).standard_normal((rows, features)) + mean)
    stage_rows(x, images.vram, drawn, rows)
    images.fpmem[inverse] = bf16_from_float(np.float64(1 / features))
    machine = Machine(hw, images)
    machine.run(words)
    got = bf16_to_f32(images.vram[y.addresses(cols=y.physical_cols)]).astype(np.float64)
    exact = centred(bf16_to_f32(drawn).astype(np.float64))
    bound = RELATIVE * np.abs(exact) + COMMON * np.abs(exact).mean(axis=1, keepdims=True)
    # Of a row of equal numbers, the third mean of what rounding left: a share of a share of a share.
    bound += (4 * 2.0**-8) ** 3 * mean
    assert (np.abs(got[:, :features] - exact) <= bound).all()
    assert not got[:, features:].any()
