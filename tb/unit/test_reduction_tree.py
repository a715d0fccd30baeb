"""Unit tests of the reduction tree: order of the sums, masks, special values, latency."""

from __future__ import annotations

import pytest

from tb.engine import simulate

SOURCES = ["rtl/float/plena_fp.sv", "rtl/vector/reduction_tree.sv"]


@pytest.mark.parametrize(
    ("simulator", "mlen"), [("verilator", 8), ("verilator", 16), ("verilator", 64), ("icarus", 16)]
)
def test_reduction_tree(simulator: str, mlen: int) -> None:
    simulate.run_unit("reduction_tree", SOURCES, "cocotb_reduction_tree", {"MLEN": mlen, "QW": 3}, simulator)
