"""Unit tests of V_TOPK's unit: order, ties, special values, weights, late rows and refused writes."""

from __future__ import annotations

import pytest

from tb.engine import simulate

SOURCES = ["rtl/plena_pkg.sv", "rtl/float/plena_fp.sv", "rtl/vector/topk.sv"]


@pytest.mark.parametrize(("simulator", "mlen"), [("verilator", 8), ("verilator", 256), ("icarus", 16)])
def test_topk(simulator: str, mlen: int) -> None:
    sizes = {"MLEN": mlen, "QW": 3, "FAW": 8, "IAW": 7}
    simulate.run_unit("topk", SOURCES, "cocotb_topk", sizes, simulator)
