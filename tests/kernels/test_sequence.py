"""Operators in a row: what they hand on, what they share, and how long each has its scratch."""

from __future__ import annotations

import pytest

from plena_ref.kernels.layout.room import Room
from plena_ref.kernels.layout.rules import LayoutError
from plena_ref.kernels.program import Program
from plena_ref.kernels.residual_add import ResidualAddKernel
from plena_ref.kernels.rms_norm import NormOperands, RmsNormKernel
from plena_ref.kernels.sequence import OperatorSequence
from plena_ref.machine.hardware import Hardware

HW = Hardware(16, 4, vram_elems=1 << 14, hbm_bytes=1 << 16)


def test_scratch_is_free_again_for_the_next_operator() -> None:
    room = Room(HW)
    x, y = (room.vram.tensor(name, 4, 40) for name in "XY")
    weight = room.vram.tensor("weight", 1, 40)
    constants = room.fp_mem.take("constants", 2)
    norms = []
    for source, target in ((x, y), (y, x)):
        with room.scratch():
            norms.append(RmsNormKernel(HW, NormOperands(source, weight, target, constants), room))
    first, second = norms
    assert first.squares.base == second.squares.base == room.vram.next_free
    assert first.sums.first == second.sums.first == room.fp_mem.next_free == 2


def test_scratch_of_scratch_ends_with_its_block() -> None:
    room = Room(HW)
    with room.scratch():
        outer = room.int_mem.take("outer", 3)
        with room.scratch():
            assert room.int_mem.take("inner", 2) == outer + 3
        assert room.int_mem.take("again", 1) == outer + 3
    assert room.int_mem.next_free == 0


def test_what_lives_longer_than_scratch_is_placed_before_it() -> None:
    """Else the first operator's scratch would overwrite what the host staged."""
    room = Room(HW)
    with room.scratch():
        room.vram.tensor("scratch", 1, 16)
    with pytest.raises(LayoutError, match="X: what lives as long as the program is placed before"):
        room.vram.tensor("X", 1, 16)
    with pytest.raises(LayoutError, match="eps: what lives"):
        room.fp_mem.take("eps", 1)


def test_a_memory_of_words_can_be_full() -> None:
    room = Room(HW)
    with pytest.raises(LayoutError, match="INT_MEM is full: all needs 2000 words at 0, INT_WORDS = 1024"):
        room.int_mem.take("all", 2000)


def test_the_result_is_the_last_ones_and_the_rest_is_scratch() -> None:
    room = Room(HW)
    x, y, z, r = (room.vram.tensor(name, 4, 16) for name in ("X", "Y", "Z", "R"))
    adds = [ResidualAddKernel(HW, x, y, z), ResidualAddKernel(HW, z, x, r)]
    sequence = OperatorSequence("two adds", adds)
    assert [region.name for region in sequence.outputs()] == ["R"]
    assert [region.name for region in sequence.scratch()] == ["Z"]
    together, apart = Program(HW), [Program(HW), Program(HW)]
    sequence.emit(together)
    for operator, program in zip(adds, apart, strict=True):
        operator.emit(program)
    assert len(together) == sum(len(program) for program in apart)
