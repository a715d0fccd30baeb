"""Bank arbiter against a model of its rule: lowest port first, but a port that lost 8 rounds wins."""

from __future__ import annotations

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from tb.engine.dut import Dut
from tb.engine.simulate import parameter

PATIENCE = 8


async def start(dut: Dut) -> None:
    """Start the clock and reset."""
    dut.req.value = 0
    dut.rst.value = 1
    Clock(dut.clk, 10, unit="ns").start()
    for _ in range(2):
        await FallingEdge(dut.clk)
    dut.rst.value = 0


async def round_of(dut: Dut, request: int) -> int:
    """One cycle with these requests; the grants."""
    dut.req.value = request
    await Timer(1, "ns")
    grant = dut.gnt.value.to_unsigned()
    await FallingEdge(dut.clk)
    return grant


@cocotb.test()
async def follows_the_rule(dut: Dut) -> None:
    """Random requests of every density: each grant is the one that the rule names."""
    ports = parameter("N")
    rng = random.Random(ports)
    losses = [0] * ports
    overruled = 0
    await start(dut)
    for cycle in range(6000):
        density = (0.2, 0.6, 0.9, 1.0)[cycle // 50 % 4]
        request = [rng.random() < density for _ in range(ports)]
        asking = [port for port in range(ports) if request[port]]
        starved = [port for port in asking if losses[port] >= PATIENCE]
        winner = min(starved or asking, default=None)
        overruled += bool(starved) and winner != min(asking)
        grant = await round_of(dut, sum(1 << port for port in asking))
        assert grant == (0 if winner is None else 1 << winner), (
            f"cycle {cycle}: {asking} with losses {losses}"
        )
        losses = [losses[p] + 1 if request[p] and p != winner else 0 for p in range(ports)]
    assert ports == 1 or overruled > 20, "the test must see starved ports win"


@cocotb.test()
async def nobody_starves(dut: Dut) -> None:
    """With every port asking all the time, none waits past 8 lost rounds and the other starved."""
    ports = parameter("N")
    await start(dut)
    last = [0] * ports
    for cycle in range(1, 400):
        winner = (await round_of(dut, (1 << ports) - 1)).bit_length() - 1
        assert cycle - last[winner] <= PATIENCE + ports - 1
        last[winner] = cycle
    assert all(400 - seen <= PATIENCE + ports for seen in last)
