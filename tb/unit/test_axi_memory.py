"""The bench's memory model: latency, throughput, order, pauses, errors, and when writes take effect."""

from __future__ import annotations

import pytest

from tb import simulate


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_axi_memory(simulator: str) -> None:
    """All cocotb tests of the model."""
    simulate.run_unit("axi_memory", ["tb/axi_memory.sv"], "cocotb_axi_memory", {"BYTES": 8192}, simulator)
