"""Vector SRAM against a plain array: data, masks, grants, bank conflicts, waiting times."""

from __future__ import annotations

import random
from dataclasses import dataclass

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, Timer
from numpy.typing import NDArray

from tb.engine.dut import Dut
from tb.engine.simulate import parameter
from tb.unit.bf16_data import pack, unpack
from tb.unit.reset import reset

READERS, WRITERS, BANKS = 4, 3, 8
PATIENCE = 8


@dataclass
class Request:
    """What a port asks for until it is granted; `since` is the first cycle."""

    row: int
    since: int
    data: NDArray[np.uint16]
    mask: int = 0


class Bench:
    """The ports and the model: rows whose content the model knows, None before the first full write."""

    def __init__(self, dut: Dut, seed: int) -> None:
        self.dut = dut
        self.rng = random.Random(seed)
        self.mlen, self.blen = parameter("MLEN"), parameter("BLEN")
        self.rows = parameter("VRAM_ELEMS") // self.mlen
        self.row_bits = (self.rows - 1).bit_length()
        self.tile_bits = self.mlen.bit_length() - 1
        self.memory = np.zeros((self.rows, self.mlen), dtype=np.uint16)
        self.cycle = 0
        self.readers: list[Request | None] = [None] * READERS
        self.writers: list[Request | None] = [None] * WRITERS
        self.arriving: list[NDArray[np.uint16] | None] = [None] * READERS
        self.longest = 0
        self.conflicts = 0

    def bank(self, row: int) -> int:
        """The bank of a row: low bits folded with the bits above a tile's rows."""
        return (row ^ row >> self.tile_bits) & 7

    async def start(self) -> None:
        """Start the clock, reset, and write every row once."""
        dut = self.dut
        await reset(dut, ("rd_req", "rd_row", "wr_req", "wr_row", "wr_data", "wr_mask"))
        for row in range(self.rows):
            self.writers[1] = self.write_request(row, full=True)
            while self.writers[1] is not None:
                await self.step()

    def write_request(self, row: int, full: bool = False) -> Request:
        """Random data for a row, with a random mask of blocks unless `full`."""
        blocks = self.mlen // self.blen
        data = np.array([self.rng.randrange(1 << 16) for _ in range(self.mlen)], dtype=np.uint16)
        mask = (1 << blocks) - 1 if full else self.rng.randrange(1 << blocks)
        return Request(row, self.cycle + 1, data, mask)

    def read_request(self, row: int) -> Request:
        """A read of a row."""
        return Request(row, self.cycle + 1, np.zeros(0, np.uint16))

    async def step(self) -> None:
        """One cycle: present what the ports ask for, check grants and the data of the last cycle's reads."""
        dut = self.dut
        self.cycle += 1
        self._drive("rd", self.readers)
        self._drive("wr", self.writers)
        width = self.mlen * 16
        dut.wr_data.value = sum(pack(r.data) << w * width for w, r in enumerate(self.writers) if r)
        blocks = self.mlen // self.blen
        dut.wr_mask.value = sum(r.mask << w * blocks for w, r in enumerate(self.writers) if r)
        await Timer(1, "ns")
        for port, row in enumerate(self.arriving):
            if row is not None:
                value = dut.rd_data.value[(port + 1) * width - 1 : port * width]
                got = unpack(value.to_unsigned(), self.mlen)
                assert np.array_equal(got, row), f"cycle {self.cycle}: read port {port}"
        read = self._granted(dut.rd_gnt.value.to_unsigned(), self.readers)
        write = self._granted(dut.wr_gnt.value.to_unsigned(), self.writers)
        self.arriving = [self.memory[read[p].row].copy() if p in read else None for p in range(READERS)]
        for request in write.values():
            lanes = np.repeat([request.mask >> b & 1 for b in range(blocks)], self.blen).astype(bool)
            self.memory[request.row, lanes] = request.data[lanes]
        for ports, granted in ((self.readers, read), (self.writers, write)):
            for port in granted:
                ports[port] = None
        await FallingEdge(dut.clk)

    def _drive(self, name: str, ports: list[Request | None]) -> None:
        request = sum(1 << port for port, r in enumerate(ports) if r)
        rows = sum(r.row << port * self.row_bits for port, r in enumerate(ports) if r)
        getattr(self.dut, f"{name}_req").value = request
        getattr(self.dut, f"{name}_row").value = rows

    def _granted(self, grant: int, ports: list[Request | None]) -> dict[int, Request]:
        """The requests granted, by port; each bank that is asked must serve exactly one."""
        granted = {port: request for port, request in enumerate(ports) if request and grant >> port & 1}
        assert grant == sum(1 << port for port in granted), "a grant without a request"
        asked = [self.bank(r.row) for r in ports if r]
        served = [self.bank(request.row) for request in granted.values()]
        assert sorted(served) == sorted(set(asked)), f"banks asked {asked}, served {served}"
        self.conflicts += len(asked) - len(served)
        for port, request in granted.items():
            wait = self.cycle - request.since
            self.longest = max(self.longest, wait)
            assert wait <= PATIENCE + len(ports) - 2, f"port {port} waited {wait} rounds"
        return granted


@cocotb.test()
async def random_traffic(dut: Dut) -> None:
    """All ports at every load, on random rows and on rows of few banks."""
    bench = Bench(dut, 1)
    await bench.start()
    rng = bench.rng
    for phase in range(16):
        load = (0.1, 0.5, 0.9, 1.0)[phase % 4]
        pool = list(range(bench.rows))
        if phase >= 8:
            bank = rng.randrange(BANKS)
            pool = [row for row in pool if bench.bank(row) == bank or rng.random() < 0.1]
        for _ in range(100):
            for port in range(READERS):
                if bench.readers[port] is None and rng.random() < load:
                    bench.readers[port] = bench.read_request(rng.choice(pool))
            for port in range(WRITERS):
                if bench.writers[port] is None and rng.random() < load:
                    bench.writers[port] = bench.write_request(rng.choice(pool))
            await bench.step()
    while any(bench.readers) or any(bench.writers) or any(row is not None for row in bench.arriving):
        await bench.step()
    assert bench.conflicts > 300 and bench.longest >= PATIENCE


@cocotb.test()
async def loser_of_eight_rounds_wins(dut: Dut) -> None:
    """Port 0 asks for one bank in every cycle; the last port gets it in exactly the ninth round."""
    bench = Bench(dut, 2)
    await bench.start()
    for name, count in (("readers", READERS), ("writers", WRITERS)):
        ports = getattr(bench, name)
        make = bench.read_request if name == "readers" else bench.write_request
        ports[count - 1] = make(8 % bench.rows)
        rounds = 0
        while ports[count - 1] is not None:
            ports[0] = ports[0] or make(8 % bench.rows)
            rounds += 1
            await bench.step()
        assert rounds == PATIENCE + 1
        while any(ports) or any(row is not None for row in bench.arriving):
            await bench.step()


@cocotb.test()
async def tiles_do_not_collide(dut: Dut) -> None:
    """Row i of 8 tile-aligned tensors in a row: all in different banks, where the memory is that large."""
    bench = Bench(dut, 3)
    await bench.start()
    if bench.rows < 8 * bench.mlen:
        return
    for row in range(0, bench.mlen, 3):
        before = bench.conflicts
        for port in range(READERS):
            bench.readers[port] = bench.read_request(port * bench.mlen + row)
        for port in range(WRITERS):
            bench.writers[port] = bench.write_request((port + READERS) * bench.mlen + row)
        await bench.step()
        assert bench.conflicts == before and not any(bench.readers) and not any(bench.writers)
