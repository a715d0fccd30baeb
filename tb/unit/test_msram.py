"""Unit tests of matrix SRAM."""

from __future__ import annotations

import pytest

from tb.engine import simulate

SOURCES = ["rtl/memory/ram_1r1w.sv", "rtl/memory/msram.sv"]


@pytest.mark.parametrize(
    ("mlen", "tiles", "simulator"),
    [(16, 4, "verilator"), (8, 1, "verilator"), (32, 3, "verilator"), (8, 2, "icarus")],
)
def test_msram(mlen: int, tiles: int, simulator: str) -> None:
    sizes = {"MLEN": mlen, "MSRAM_TILES": tiles}
    simulate.run_unit("msram", SOURCES, "cocotb_msram", sizes, simulator)
