"""Drives tb/bench/axi_memory.sv by hand, cycle by cycle, and keeps its own picture of the contents."""

from __future__ import annotations

import random
from collections.abc import Callable

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from tb.engine import simulate
from tb.engine.dut import Dut

FILL = 0xA5
OKAY, SLVERR, DECERR = 0, 2, 3
BEAT = 64


class Master:
    """Queues of requests that go out as fast as the memory takes them; lists of answers with their cycle."""

    def __init__(self, dut: Dut) -> None:
        self.dut = dut
        self.cycle = 0
        self.reads: list[tuple[int, int, int]] = []
        self.writes: list[tuple[int, int, list[tuple[int, int]]]] = []
        self.taken: list[int] = []
        self.data_taken: list[int] = []
        self.beats: list[tuple[int, int, int, int, int]] = []
        self.responses: list[tuple[int, int, int]] = []
        self.ready: Callable[[], int] = lambda: 1

    async def start(
        self,
        latency: int,
        jitter: int = 0,
        seed: int = 1,
        error: tuple[int, int] = (0, 0),
        rate: tuple[int, int] = (1, 1),
    ) -> None:
        """Reset the memory with these settings and begin to drive it; its contents stay."""
        dut = self.dut
        Clock(dut.clk, 2, "ns").start()
        dut.latency.value, dut.jitter.value, dut.seed.value, dut.fill.value = latency, jitter, seed, FILL
        dut.err_lo.value, dut.err_hi.value = error
        dut.rate_beats.value, dut.rate_cycles.value = rate
        for name in ("stall", "stall_after", "stall_restart", "lose"):
            getattr(dut, name).value = 0
        for name in ("arvalid", "awvalid", "wvalid", "rready", "bready"):
            getattr(dut, name).value = 0
        dut.rst.value = 1
        for _ in range(3):
            await RisingEdge(dut.clk)
        await FallingEdge(dut.clk)
        dut.rst.value = 0
        cocotb.start_soon(self._run())

    async def _run(self) -> None:
        """Drive at falling edges, look at handshakes just before the rising ones."""
        dut = self.dut
        pending: list[tuple[int, int, bool]] = []
        while True:
            dut.rready.value, dut.bready.value = self.ready(), self.ready()
            dut.arvalid.value = bool(self.reads)
            if self.reads:
                dut.arid.value, dut.araddr.value, dut.arlen.value = self.reads[0]
            dut.awvalid.value = bool(self.writes)
            if self.writes:
                dut.awid.value, dut.awaddr.value = self.writes[0][:2]
            dut.wvalid.value = bool(pending)
            if pending:
                dut.wdata.value, dut.wstrb.value, dut.wlast.value = pending[0]
            await RisingEdge(dut.clk)
            self.cycle += 1
            if dut.arvalid.value == 1 and dut.arready.value == 1:
                self.taken.append(self.cycle)
                self.reads.pop(0)
            if dut.awvalid.value == 1 and dut.awready.value == 1:
                beats = self.writes.pop(0)[2]
                pending += [(*beat, number == len(beats) - 1) for number, beat in enumerate(beats)]
            if dut.wvalid.value == 1 and dut.wready.value == 1:
                self.data_taken.append(self.cycle)
                pending.pop(0)
            if dut.rvalid.value == 1 and dut.rready.value == 1:
                beat = (int(dut.rid.value), int(dut.rdata.value), int(dut.rresp.value), int(dut.rlast.value))
                self.beats.append((self.cycle, *beat))
            if dut.bvalid.value == 1 and dut.bready.value == 1:
                self.responses.append((self.cycle, int(dut.bid.value), int(dut.bresp.value)))
            await FallingEdge(dut.clk)

    async def until(self, beats: int = 0, responses: int = 0, limit: int = 20_000) -> None:
        """Wait until so many answers are there.

        Raises:
            AssertionError: they did not come within ``limit`` cycles.
        """
        for _ in range(limit):
            if len(self.beats) >= beats and len(self.responses) >= responses:
                return
            await FallingEdge(self.dut.clk)
        raise AssertionError(f"{len(self.beats)} beats and {len(self.responses)} responses came")


def filled(count: int = 1) -> int:
    return int.from_bytes(bytes([FILL]) * BEAT * count, "little")


@cocotb.test()
@cocotb.parametrize(latency=[1, 40, 200])
async def latency_and_throughput(dut: Dut, latency: int) -> None:
    """The first beat comes `latency` cycles after its request, then one beat a cycle for any burst length."""
    master = Master(dut)
    master.reads = [(number % 2, 64 * number, 0) for number in range(20)] + [(1, 1280, 19)]
    await master.start(latency)
    await master.until(beats=40)
    cycles = [beat[0] for beat in master.beats]
    assert cycles[0] - master.taken[0] == latency
    assert cycles == list(range(cycles[0], cycles[0] + 40))
    assert [beat[1] for beat in master.beats[:20]] == [number % 2 for number in range(20)]
    assert [beat[4] for beat in master.beats] == [1] * 20 + [0] * 19 + [1]
    assert all(beat[2] == filled() and beat[3] == OKAY for beat in master.beats)


@cocotb.test()
@cocotb.parametrize(rate=[(1, 1), (1, 2), (3, 4), (1, 4), (254, 255)])
async def bandwidth(dut: Dut, rate: tuple[int, int]) -> None:
    """At most so many beats each way in any so many cycles, and over a long time no fewer."""
    beats, cycles = rate
    master = Master(dut)
    for number in range(8):
        master.reads.append((number % 2, 512 * number, 39))
        master.writes.append((number % 2, 2560 * number % 4096, [(number, 0)] * 40))
    await master.start(5, rate=rate)
    await master.until(beats=320, responses=8)
    for moved in ([beat[0] for beat in master.beats], master.data_taken):
        assert len(moved) == 320
        in_a_window = [sum(first <= at < first + cycles for at in moved) for first in moved]
        assert max(in_a_window) <= beats
        least = 320 * cycles / beats
        assert least - cycles <= moved[-1] - moved[0] + 1 <= least + cycles


@cocotb.test()
@cocotb.parametrize(latency=[1, 40])
async def a_write_lands_with_its_response(dut: Dut, latency: int) -> None:
    """A read taken before the response still sees the old bytes, one taken after it the new ones."""
    master = Master(dut)
    new = random.Random(1).getrandbits(512)
    strobes = 0x00FF_0000_0000_0F01
    place = 128 * latency
    master.writes = [(3, place, [(new, strobes), (new, 0)])]
    await master.start(latency)
    while not master.data_taken:
        await FallingEdge(dut.clk)
    master.reads = [(0, place, 0)]
    await master.until(beats=1, responses=1)
    sent = master.data_taken[1]
    assert master.responses[0][0] - sent == latency and master.responses[0][1:] == (3, OKAY)
    if latency > 2:
        assert master.taken[0] < master.responses[0][0]
        assert master.beats[0][2] == filled()
    master.reads = [(0, place, 1)]
    await master.until(beats=3)
    expected = 0
    for byte in range(BEAT):
        source = new >> 8 * byte & 0xFF if strobes >> byte & 1 else FILL
        expected |= source << 8 * byte
    assert [beat[2] for beat in master.beats[1:]] == [expected, filled()]
    assert int(dut.high_water.value) == place + 56


@cocotb.test()
async def errors(dut: Dut) -> None:
    """Beats in the range answer SLVERR, beats behind the storage DECERR; such writes are lost."""
    end = simulate.parameter("BYTES")
    master = Master(dut)
    everything = (1 << 64) - 1
    master.writes = [
        (1, 960, [(0, everything)] * 2),
        (2, 1088, [(0, everything)]),
        (3, end, [(0, everything)]),
    ]
    await master.start(5, error=(1030, 1031))
    await master.until(responses=3)
    assert [response[1:] for response in master.responses] == [(1, SLVERR), (2, OKAY), (3, DECERR)]
    master.reads = [(0, 960, 2), (0, end, 0)]
    await master.until(beats=4)
    assert [beat[3] for beat in master.beats] == [OKAY, SLVERR, OKAY, DECERR]
    assert master.beats[0][2] == 0 and master.beats[2][2] == 0
    assert int(dut.high_water.value) == 1152


@cocotb.test()
@cocotb.parametrize(seed=[1, 2, 3])
async def pauses(dut: Dut, seed: int) -> None:
    """With pauses on every channel, data and the order inside each ID stay; across IDs the order changes."""
    rng = random.Random(seed)
    master = Master(dut)
    master.ready = lambda: rng.random() < 0.7
    lines = [rng.getrandbits(512) for _ in range(32)]
    whole = [(line, (1 << 64) - 1) for line in lines]
    master.writes = [(0, 256 * n, whole[4 * n : 4 * n + 4]) for n in range(8)]
    await master.start(7, jitter=100, seed=seed)
    await master.until(responses=8)
    requests = []
    for _ in range(60):
        first = rng.randrange(32)
        requests.append((rng.randrange(2), 64 * first, rng.randrange(32 - first)))
    master.reads = list(requests)
    await master.until(beats=sum(length + 1 for _, _, length in requests))
    for channel in (0, 1):
        expected = [
            lines[address // 64 + k]
            for identity, address, length in requests
            if identity == channel
            for k in range(length + 1)
        ]
        assert [beat[2] for beat in master.beats if beat[1] == channel] == expected
    in_order = [identity for identity, _, length in requests for _ in range(length + 1)]
    assert [beat[1] for beat in master.beats] != in_order
    assert master.beats[-1][0] - master.beats[0][0] > len(master.beats)
