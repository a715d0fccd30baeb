"""Unit tests of FP_MEM and INT_MEM."""

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


@pytest.mark.parametrize(("words", "simulator"), [(1024, "verilator"), (100, "icarus")])
def test_intmem(words: int, simulator: str) -> None:
    simulate.run_unit("intmem", ["rtl/memory/intmem.sv"], "cocotb_intmem", {"INT_WORDS": words}, simulator)
