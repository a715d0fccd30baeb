"""Loop stack against a Python list, random pushes, pops and clears."""

from __future__ import annotations

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from tb.engine.dut import Dut
from tb.engine.simulate import parameter


@cocotb.test()
async def follows_a_list(dut: Dut) -> None:
    depth = parameter("DEPTH")
    rng = random.Random(1)
    Clock(dut.clk, 2, "ns").start()
    dut.push.value = dut.pop.value = 0
    dut.clear.value = 1
    await FallingEdge(dut.clk)
    model: list[tuple[int, int]] = []
    full_seen = 0
    for _ in range(2000):
        dut.clear.value = clear = int(rng.random() < 0.01)
        push = len(model) < depth and rng.random() < 0.55
        pop = not push and bool(model) and rng.random() < 0.9
        register, pc = rng.randrange(16), rng.randrange(1 << 32)
        dut.push.value, dut.pop.value = int(push), int(pop)
        dut.push_reg.value, dut.push_pc.value = register, pc
        await FallingEdge(dut.clk)
        if clear:
            model.clear()
        elif push:
            model.append((register, pc))
        elif pop:
            model.pop()
        assert int(dut.empty.value) == (not model)
        assert int(dut.full.value) == (len(model) == depth)
        full_seen += len(model) == depth
        if model:
            assert (int(dut.top_reg.value), int(dut.top_pc.value)) == model[-1]
    assert full_seen > 20
