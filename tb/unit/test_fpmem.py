"""Unit tests of FP_MEM and of the memory of one read and one write port."""

from __future__ import annotations

import pytest

from tb.engine import simulate


@pytest.mark.parametrize(
    ("mlen", "words", "simulator"),
    [(16, 256, "verilator"), (8, 16, "verilator"), (32, 192, "verilator"), (8, 64, "icarus")],
)
def test_fpmem(mlen: int, words: int, simulator: str) -> None:
    sizes = {"MLEN": mlen, "FP_WORDS": words}
    simulate.run_unit("fpmem", ["rtl/memory/fpmem.sv"], "cocotb_fpmem", sizes, simulator)


@pytest.mark.parametrize(
    ("words", "width", "simulator"), [(1024, 32, "verilator"), (100, 16, "icarus"), (1, 128, "icarus")]
)
def test_ram_1r1w(words: int, width: int, simulator: str) -> None:
    sizes = {"WIDTH": width, "WORDS": words, "AW": max(1, (words - 1).bit_length())}
    simulate.run_unit("ram_1r1w", ["rtl/memory/ram_1r1w.sv"], "cocotb_ram_1r1w", sizes, simulator)
