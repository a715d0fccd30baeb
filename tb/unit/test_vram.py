"""Unit tests of vector SRAM."""

from __future__ import annotations

import pytest

from tb.engine import simulate

SOURCES = ["rtl/memory/bank_arbiter.sv", "rtl/memory/vram_bank.sv", "rtl/memory/vram.sv"]


@pytest.mark.parametrize(
    ("mlen", "blen", "rows", "simulator"),
    [
        (16, 4, 256, "verilator"),
        (8, 8, 8, "verilator"),
        (32, 8, 24, "verilator"),
        (8, 4, 64, "icarus"),
    ],
)
def test_vram(mlen: int, blen: int, rows: int, simulator: str) -> None:
    sizes = {"MLEN": mlen, "BLEN": blen, "VRAM_ELEMS": rows * mlen}
    simulate.run_unit("vram", SOURCES, "cocotb_vram", sizes, simulator)
