"""How a unit bench starts: clock on, inputs at 0, a few cycles of reset."""

from __future__ import annotations

from collections.abc import Iterable

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from tb.engine.dut import Dut


async def reset(dut: Dut, inputs: Iterable[str], cycles: int = 2, period: int = 10) -> None:
    """Start `clk` (period in ns) and hold `rst` over some falling edges, the named inputs at 0.

    Returns at a falling edge, with `rst` low again.
    """
    for name in inputs:
        getattr(dut, name).value = 0
    dut.rst.value = 1
    Clock(dut.clk, period, "ns").start()
    for _ in range(cycles):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
