"""A memory of one read and one write port against a plain array: both at once, data kept while idle."""

from __future__ import annotations

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from tb.engine.dut import Dut
from tb.engine.simulate import parameter


@cocotb.test()
async def reads_and_writes(dut: Dut) -> None:
    """Random traffic; a read beside a write of the same word gives the old word."""
    words, width = parameter("WORDS"), parameter("WIDTH")
    rng = random.Random(words)
    memory: dict[int, int] = {}
    expected = None
    Clock(dut.clk, 10, unit="ns").start()
    for step in range(words + 2000):
        write = step if step < words else rng.randrange(words)
        read = write if rng.random() < 0.3 else rng.randrange(words)
        writing = step < words or rng.random() < 0.5
        reading = read in memory and rng.random() < 0.7
        value = rng.getrandbits(width)
        await FallingEdge(dut.clk)
        dut.wr_en.value, dut.wr_addr.value, dut.wr_data.value = writing, write, value
        dut.rd_en.value, dut.rd_addr.value = reading, read
        await Timer(1, "ns")
        assert expected is None or dut.rd_data.value.to_unsigned() == expected
        if reading:
            expected = memory[read]
        if writing:
            memory[write] = value
