"""FP_MEM against a plain array: wide reads at any word, the scalar port behind them, writes beside reads."""

from __future__ import annotations

import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer
from numpy.typing import NDArray

from tb.engine.dut import Dut
from tb.engine.simulate import parameter
from tb.unit.bf16_data import unpack


@cocotb.test()
async def both_ports(dut: Dut) -> None:
    """Every aligned and unaligned window, then random traffic; a scalar read is taken when no wide one is."""
    mlen, words = parameter("MLEN"), parameter("FP_WORDS")
    rng = random.Random(words)
    memory = np.zeros(words, dtype=np.uint16)
    for name in ("s_rd_en", "s_rd_addr", "w_rd_en", "w_rd_addr", "wr_en", "wr_addr", "wr_data"):
        getattr(dut, name).value = 0
    Clock(dut.clk, 10, unit="ns").start()
    await FallingEdge(dut.clk)
    expected: NDArray[np.uint16] | int | None = None

    async def cycle(wide: int | None, scalar: int | None, write: int | None) -> bool:
        """One cycle with these addresses; checks the last read; returns whether the scalar read was taken."""
        nonlocal expected
        value = rng.randrange(1 << 16)
        for name, address in (("w_rd", wide), ("s_rd", scalar), ("wr", write)):
            getattr(dut, f"{name}_en").value = address is not None
            getattr(dut, f"{name}_addr").value = rng.randrange(words) if address is None else address
        dut.wr_data.value = value
        await Timer(1, "ns")
        taken = bool(dut.s_rd_gnt.value)
        assert taken == (scalar is not None and wide is None)
        if isinstance(expected, int):
            assert dut.s_rd_data.value.to_unsigned() == expected
        elif expected is not None:
            got = unpack(dut.w_rd_data.value.to_unsigned(), mlen)
            assert np.array_equal(got, expected), f"{got} is not {expected}"
        await FallingEdge(dut.clk)
        if wide is not None:
            expected = memory[wide : wide + mlen].copy()
        elif scalar is not None:
            expected = int(memory[scalar])
        if write is not None:
            memory[write] = value
        return taken

    for word in range(words):
        await cycle(None, None, word)
    for word in range(words - mlen + 1):
        await cycle(word, None, None)
    for word in range(words):
        await cycle(None, word, None)
    for _ in range(3000):
        wide = rng.randrange(words - mlen + 1) if rng.random() < 0.4 else None
        scalar = rng.randrange(words) if rng.random() < 0.6 else None
        close = wide if wide is not None else scalar if scalar is not None else 0
        write = min(close + rng.randrange(mlen), words - 1) if rng.random() < 0.7 else None
        while not await cycle(wide, scalar, write) and scalar is not None:
            wide = write = None
    await cycle(None, None, None)
