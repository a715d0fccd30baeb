"""Unit tests of the bank arbiter."""

from __future__ import annotations

import pytest

from tb.engine import simulate


@pytest.mark.parametrize(("ports", "simulator"), [(3, "verilator"), (4, "verilator"), (4, "icarus")])
def test_bank_arbiter(ports: int, simulator: str) -> None:
    sources = ["rtl/memory/bank_arbiter.sv"]
    simulate.run_unit("bank_arbiter", sources, "cocotb_bank_arbiter", {"N": ports}, simulator)
