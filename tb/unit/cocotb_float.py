"""cocotb side of the arithmetic tests: the bench works through its vector file alone; wait for it."""

from __future__ import annotations

import cocotb
from cocotb.triggers import Timer

from tb.engine.dut import Dut


@cocotb.test()
async def every_vector_is_applied(dut: Dut) -> None:
    """``fp_vectors`` runs at time 0 and raises ``done`` behind its last vector."""
    await Timer(1, "ns")
    assert dut.done.value == 1
