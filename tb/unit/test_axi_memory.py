"""The bench's memory model: latency, throughput, order, pauses, errors, and when writes take effect."""

from __future__ import annotations

import pytest

from tb.engine import simulate


@pytest.mark.parametrize("simulator", simulate.SIMULATORS)
def test_axi_memory(simulator: str) -> None:
    """All cocotb tests of the model."""
    sources = ["tb/bench/axi_memory.sv"]
    simulate.run_unit("axi_memory", sources, "cocotb_axi_memory", {"BYTES": 8192}, simulator)
