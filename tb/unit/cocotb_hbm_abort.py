"""Aborts of the HBM unit while a channel of the bus stands still: AXI's rules hold, what follows is right."""

from __future__ import annotations

import itertools

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge

from tb.engine.dut import Dut
from tb.unit.hbm_driver import MEMORY, SCALE_REGION, SLOTS, STORE_V, VRAM_ROWS, Bench, Transfer

CHANNELS = ("ar", "r", "aw", "w", "b")


class Aborting(Bench):
    """The bench of the HBM unit, which can give up."""

    def hold(self, channel: str, still: bool) -> None:
        """Stop a channel of the RAM, or let it go on."""
        side = self.ram.read_if if channel in ("ar", "r") else self.ram.write_if
        getattr(side, f"{channel}_channel").set_pause_generator(itertools.repeat(still))
        getattr(side, f"{channel}_channel").pause = still

    async def busy(self, cycles: int) -> None:
        """Push transfers for some cycles, whatever becomes of them; half store rows across two beats."""
        rows = self.rows[STORE_V]
        for _ in range(cycles):
            base = 4096 + 64 * self.rng.randrange(8) + 64 - self.block
            row = self.rng.randrange(VRAM_ROWS - rows)
            across = Transfer(STORE_V, base, SCALE_REGION + base, 64, row=row)
            transfer = across if self.rng.randrange(2) else self.random_transfer()
            await self.cycle(transfer if self.free() else None)

    async def watch(self, strobes: list[int], cycles: int) -> None:
        """Note the strobes of every beat that is taken."""
        for _ in range(cycles):
            if int(self.dut.m_axi_wvalid.value) and int(self.dut.m_axi_wready.value):
                strobes.append(int(self.dut.m_axi_wstrb.value))
            await FallingEdge(self.dut.clk)

    async def abort(self) -> list[int]:
        """Abort; return the strobes that must be 0: those of the beats behind one that stood by then."""
        self.dut.abort.value = 1
        await FallingEdge(self.dut.clk)
        self.dut.abort.value = 0
        standing = int(self.dut.m_axi_wvalid.value)
        strobes: list[int] = []
        await self.watch(strobes, 40)
        for channel in CHANNELS:
            self.hold(channel, False)
        await self.watch(strobes, 600)
        assert not int(self.dut.late_writes.value) and not int(self.dut.late_reads.value)
        assert int(self.dut.ids_ready.value) and int(self.dut.idle.value)
        return strobes[standing:]

    def forget(self) -> None:
        """Begin anew with the memories as they are: in HBM what was written, on chip fresh contents."""
        self.hbm = np.frombuffer(bytes(self.ram.read(0, MEMORY)), np.uint8).copy()
        self.fill()
        self.pushed, self.slots = 0, [None] * SLOTS
        self.waits = [set() for _ in range(SLOTS)]


@cocotb.test()
@cocotb.parametrize(("channel", CHANNELS))
async def abort_on_a_channel_that_stands_still(dut: Dut, channel: str) -> None:
    """At several points, one behind the other: owed beats have no strobes, late answers no effect."""
    bench = Aborting(dut, 21 + CHANNELS.index(channel))
    await bench.start()
    owed = 0
    for cycles in (3, 11, 24, 37, 60, 95, 140, 200):
        dut.fetch_on.value = 1
        await bench.busy(cycles)
        bench.hold(channel, True)
        await bench.busy(25)
        dut.fetch_on.value = 0
        strobes = await bench.abort()
        assert not any(strobes), f"{channel} at {cycles}: strobes {[hex(word) for word in strobes]}"
        owed += len(strobes)
        bench.forget()
        work = [bench.random_transfer() for _ in range(4)]
        await bench.execute(work, gap=3)
        await bench.check()
    assert owed or channel != "w", "no burst was aborted behind its first beat"
