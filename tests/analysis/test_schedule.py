"""The blocks that the models of the roundings assume are those that the kernels make, on every machine."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from plena_ref.analysis.attention_problem import query_tiles
from plena_ref.golden.attention import visible_keys
from plena_ref.machine.hardware import Hardware
from plena_ref.workloads.attention import Attention, block_tiles
from plena_ref.workloads.base import CaseError
from plena_ref.workloads.case import Case, make_case
from plena_ref.workloads.registry import CASES
from tb.sweep import matrix

#: Decode kernels have one block, and no number of it.
BLOCKED = [
    case
    for case in CASES.values()
    if isinstance(case.problem, Attention) and not case.kernel.startswith("decode")
]


def test_blocks_are_those_of_the_kernel_in_every_cell_of_the_sweep() -> None:
    widths = {cell.name: block_tiles(cell.case) for cell in matrix.load().cells}
    for cell in matrix.load().cells:
        assert cell.case.problem.schedule(cell.case).softmax_tiles == widths[cell.name], cell.name
    assert {1, 2, 4, 8} <= set(widths.values())


@pytest.mark.parametrize("case", BLOCKED, ids=lambda case: case.name)
def test_blocks_are_those_of_the_kernel_in_every_case(case: Case) -> None:
    assert case.problem.schedule(case).softmax_tiles == block_tiles(case)


TIGHT = [
    {"kernel": "attention", "head_dim": 24, "heads": 2},
    {"kernel": "attention", "head_dim": 24, "heads": 1, "window": 90},
    {"kernel": "attention", "head_dim": 16, "heads": 2, "batch": 2, "packed_output": True},
    {"kernel": "packed_attention", "head_dim": 8, "heads": 4, "kv_heads": 2},
]


@pytest.mark.parametrize("values", TIGHT, ids=lambda values: f"{values['kernel']}-{len(values)}")
@pytest.mark.parametrize("blen", [4, 16])
def test_blocks_are_those_of_the_kernel_where_memory_is_scarce(values: dict, blen: int) -> None:
    """VRAM and MSRAM of every size between too little and enough; widths from one tile up occur."""
    seen = set()
    for rows, tiles, seq in product(range(104, 700, 16), (4, 10, 64), (3, 20, 40)):
        hardware = Hardware(16, blen, 8, vram_elems=16 * rows, msram_tiles=tiles, hbm_bytes=1 << 20)
        try:
            case = make_case("tight", hardware, seq=seq, kv_seq=150, causal=True, **values)
            wanted = block_tiles(case)
        except (CaseError, ValueError):
            continue
        assert case.problem.schedule(case).softmax_tiles == wanted, case
        seen.add(wanted)
    assert len(seen) > 4, seen


@pytest.mark.parametrize(("causal", "window"), [(False, None), (True, None), (True, 1), (True, 11)])
def test_the_tiles_hold_what_is_visible_once(causal: bool, window: int | None) -> None:
    """Every visible pair lies in one tile of one block, and a block leaves no keys out between its tiles."""
    for seq, kv_seq in product(range(1, 20), range(1, 40)):
        if causal and kv_seq < seq:
            continue
        visible = visible_keys(seq, kv_seq, causal, window)
        found = np.zeros(visible.shape, int)
        for tile in query_tiles(visible, 8, 3):
            for block in tile.blocks:
                assert 1 <= len(block.tiles) <= 3
                width = sum(keys.stop - keys.start for keys in block.tiles)
                assert block.keys.stop - block.keys.start == width
                for keys, seen in zip(block.tiles, block.seen, strict=True):
                    assert seen.any()
                    found[tile.rows, keys] += seen
        np.testing.assert_array_equal(found, visible)
