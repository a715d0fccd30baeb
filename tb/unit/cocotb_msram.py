"""Matrix SRAM against a plain array: rows, columns, writes beside reads, data kept while idle."""

from __future__ import annotations

import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from tb.engine.dut import Dut
from tb.engine.simulate import parameter
from tb.unit.bf16_data import pack, unpack


@cocotb.test()
async def rows_and_columns(dut: Dut) -> None:
    """Every row and column of every tile, then random reads with writes beside them."""
    mlen, tiles = parameter("MLEN"), parameter("MSRAM_TILES")
    rng = random.Random(mlen)
    memory = np.zeros((tiles, mlen, mlen), dtype=np.uint16)
    for name in ("rd_en", "rd_col", "rd_tile", "rd_idx", "wr_en", "wr_tile", "wr_idx", "wr_data"):
        getattr(dut, name).value = 0
    Clock(dut.clk, 10, unit="ns").start()
    await FallingEdge(dut.clk)

    expected = None

    async def cycle(read: tuple[int, int, int] | None, write: tuple[int, int] | None) -> None:
        """One cycle: `read` is (column?, tile, index), `write` (tile, row); checks the last read."""
        nonlocal expected
        if read is not None:
            dut.rd_col.value, dut.rd_tile.value, dut.rd_idx.value = read
        data = np.array([rng.randrange(1 << 16) for _ in range(mlen)], dtype=np.uint16)
        if write is not None:
            dut.wr_tile.value, dut.wr_idx.value = write
            dut.wr_data.value = pack(data)
        dut.rd_en.value, dut.wr_en.value = read is not None, write is not None
        await Timer(1, "ns")
        if expected is not None:
            got = unpack(dut.rd_data.value.to_unsigned(), mlen)
            assert np.array_equal(got, expected), f"{got} is not {expected}"
        await FallingEdge(dut.clk)
        if read is not None:
            column, tile, index = read
            expected = (memory[tile, :, index] if column else memory[tile, index]).copy()
        if write is not None:
            memory[write] = data

    for tile in range(tiles):
        for row in range(mlen):
            await cycle(None, (tile, row))
    for tile in range(tiles):
        for column in (0, 1):
            for index in range(mlen):
                await cycle((column, tile, index), None)
    for _ in range(1500):
        tile = rng.randrange(tiles)
        read = (rng.randrange(2), tile, rng.randrange(mlen)) if rng.random() < 0.7 else None
        near = tile if rng.random() < 0.5 else rng.randrange(tiles)
        await cycle(read, (near, rng.randrange(mlen)) if rng.random() < 0.7 else None)
    await cycle(None, None)
