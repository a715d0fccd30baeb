"""cocotb side of the arithmetic tests: the bench works through its vector file alone; wait for it."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import Timer


@cocotb.test()
async def every_vector_is_applied(dut: Any) -> None:
    """``fp_vectors`` runs at time 0 and raises ``done`` behind its last vector."""
    await Timer(1, "ns")
    assert dut.done.value == 1
