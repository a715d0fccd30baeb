"""Unit test of the AXI protocol checker."""

from __future__ import annotations

import pytest

from tb.engine import simulate


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_axi_checker(simulator: str) -> None:
    simulate.run_unit("axi_checker", ["tb/bench/axi_checker.sv"], "cocotb_axi_checker", {}, simulator)
