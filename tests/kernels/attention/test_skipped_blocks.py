"""Blocks of scores that nobody sees are not computed, and hold nothing that another head left there."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.kernels.attention.flash_memory import FlashMemory
from plena_ref.kernels.layout.allocators import VramAllocator
from plena_ref.kernels.layout.room import Room
from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.accuracy import result_values
from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.placement import HBM_START
from tests.kernels.checking import hardware, run

CASES = [
    {"seq": 40, "causal": True},
    {"seq": 16, "causal": True},
    {"seq": 5, "kv_seq": 18},
    {"seq": 20, "kv_seq": 52, "causal": True},
    {"seq": 40, "causal": True, "window": 20, "sinks": True},
]
#: E4M3 and E8M0: NaN, and the largest numbers of each, which overflow to infinity.
BAD = {"nan": (0x7F, 0x7F), "infinity": (0x7E, 0xFE)}


def problem(values: dict) -> Case:
    sizes = {"batch": 2, "heads": 4, "kv_heads": 2, "head_dim": 16, "sigma": 1.0, **values}
    return make_case("skipped", hardware(16, 4), **sizes)


def spoiled(workload: Workload, kind: str) -> MemoryImages:
    """The memories with K of the first batch and its first head of K and V made bad."""
    case = workload.case
    operands = case.problem.place(case, Room(case.hardware, HBM_START)).operator.operands
    images, k = workload.images.copy(), operands.k
    element, scale = BAD[kind]
    block = case.hardware.mx_block
    for row in range(case.problem.kv_seq):
        first = k.base + k.offset(row)
        images.hbm[first : first + operands.kv_head_cols] = element
        scales = k.base + k.scale_offset + k.offset(row) // block
        images.hbm[scales : scales + operands.kv_head_cols // block] = scale
    return images


def others_change(case: Case, kind: str) -> bool:
    """Whether a head that has nothing to do with the bad keys has another result because of them."""
    workload = build(case)
    good = result_values(workload, run(workload).images.vram)
    bad = result_values(workload, run(workload, spoiled(workload, kind)).images.vram)
    assert not np.isfinite(bad[0, :, :2]).all()
    same = good == bad
    return not (same[1].all() and same[0, :, 2:].all())


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("values", CASES, ids=str)
def test_bad_keys_stay_in_their_head(values: dict, kind: str) -> None:
    assert not others_change(problem(values), kind)


def test_blocks_left_out_beside_the_weights_would_spread_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where P of the head before lies, a block that is not computed holds its NaN."""
    place = FlashMemory._place_scores

    def unstaged(self: FlashMemory, vram: VramAllocator) -> None:
        place(self, vram)
        self.masks.staged = {mask: self.scores for mask in self.masks.staged}

    monkeypatch.setattr(FlashMemory, "_place_scores", unstaged)
    assert others_change(problem({"seq": 16, "causal": True}), "nan")
