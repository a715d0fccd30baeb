"""What surrounds the HBM unit: clients that play VRAM and MSRAM, a RAM on AXI, and what must come of it."""

from __future__ import annotations

import itertools
import logging
import random
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.queue import Queue
from cocotb.triggers import FallingEdge, Timer
from cocotb.utils import get_sim_steps, get_sim_time
from cocotbext.axi import AxiBus, AxiRam

from plena_ref.isa.formats import FORMATS
from plena_ref.machine.hbm_format import HbmFormat
from tb.engine import simulate
from tb.engine.dut import Dut

PERIOD = 2  # ns
BEAT = 64
SLOTS = 4
MEMORY = 1 << 18
SCALE_REGION = 1 << 17  # scales of random transfers lie above, elements below
FETCH_REGION = 3 << 16  # lines for the fetch client
TILES, VRAM_ROWS = 4, 64
PREFETCH_M, PREFETCH_V, STORE_V = 0, 1, 2


@dataclass(frozen=True)
class Transfer:
    """One instruction; addresses and stride in bytes."""

    op: int
    ebase: int
    sbase: int
    stride: int
    tile: int = 0
    row: int = 0
    bf16: bool = False


class Channel(Protocol):
    """A channel of cocotbext.axi, as far as it is used here."""

    async def recv(self) -> object:
        """The next burst."""

    def clear(self) -> None:
        """Drop all bursts."""


class Delay:
    """Stands in for an address channel of the RAM: hands each burst on `cycles` cycles after it came."""

    def __init__(self, channel: Channel, cycles: int) -> None:
        self.channel, self.steps = channel, get_sim_steps(cycles * PERIOD, "ns")
        self.queue: Queue[tuple[int, object]] = Queue()
        cocotb.start_soon(self._pump())

    async def _pump(self) -> None:
        while True:
            burst = await self.channel.recv()
            self.queue.put_nowait((get_sim_time("step") + self.steps, burst))

    def clear(self) -> None:
        """Called by the RAM at reset."""
        self.channel.clear()

    async def recv(self) -> object:
        """The next burst, once it is due."""
        due, burst = await self.queue.get()
        if (wait := due - get_sim_time("step")) > 0:
            await Timer(wait, "step")
        return burst


class Bench:
    """The device, its RAM, and the expected contents of every memory."""

    def __init__(self, dut: Dut, seed: int) -> None:
        self.dut = dut
        self.mlen = simulate.parameter("MLEN")
        self.block = simulate.parameter("MX_BLOCK")
        self.rows = {
            PREFETCH_M: self.mlen,
            PREFETCH_V: simulate.parameter("VPREF"),
            STORE_V: simulate.parameter("VSTORE"),
        }
        self.scales = self.mlen // self.block
        self.has_bf16 = bool(simulate.parameter("HBM_BF16"))
        self.element = list(FORMATS)[simulate.parameter("ELEMENT")]
        self.rng = random.Random(seed)
        values = np.random.default_rng(seed)
        self.vram = values.integers(0, 1 << 16, (VRAM_ROWS, self.mlen), dtype=np.uint16)
        self.msram = values.integers(0, 1 << 16, (TILES * self.mlen, self.mlen), dtype=np.uint16)
        self.hbm = values.integers(0, 256, MEMORY, dtype=np.uint8)
        lines = np.arange(FETCH_REGION, MEMORY, BEAT, dtype=np.uint64)
        self.hbm[FETCH_REGION:].reshape(-1, BEAT)[:, :8] = lines.view(np.uint8).reshape(-1, 8)
        self.bad: list[range] = []
        self.pushed = 0
        self.slots: list[Transfer | None] = [None] * SLOTS
        self.waits: list[set[int]] = [set() for _ in range(SLOTS)]  # older slots that must be done first
        logging.getLogger("cocotb").setLevel(logging.WARNING)

    async def start(self, latency: int = 0, write_latency: int = 0) -> None:
        """Reset the device and fill every memory; latencies are cycles from an address to the RAM."""
        dut = self.dut
        for name in ("flush", "push", "push_op", "push_ebase", "push_sbase", "push_stride", "push_tile",
                     "push_bf16", "push_row", "allow", "abort", "withhold", "fetch_on"):  # fmt: skip
            getattr(dut, name).value = 0
        dut.fetch_base.value = FETCH_REGION
        dut.rst.value = 1
        Clock(dut.clk, PERIOD, "ns").start()
        self.ram = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=MEMORY)
        self.ram.write(0, self.hbm.tobytes())
        read, write = self.ram.read_if, self.ram.write_if
        plain_read, plain_write = read._read, write._write

        async def checked_read(address: int, length: int) -> bytes:
            self._check(address, length)
            result: bytes = await plain_read(address, length)
            return result

        async def checked_write(address: int, data: bytes) -> None:
            self._check(address, len(data))
            await plain_write(address, data)

        read._read, write._write = checked_read, checked_write
        if latency:
            read.ar_channel = Delay(read.ar_channel, latency)
        if write_latency:
            write.aw_channel = Delay(write.aw_channel, write_latency)
        for _ in range(4):
            await FallingEdge(dut.clk)
        self.fill()
        dut.rst.value = 0
        await FallingEdge(dut.clk)

    def fill(self) -> None:
        """Write the expected contents into the memories on chip."""
        for row in range(VRAM_ROWS):
            self.dut.vram[row].value = int.from_bytes(self.vram[row].tobytes(), "little")
        for row in range(TILES * self.mlen):
            self.dut.msram[row].value = int.from_bytes(self.msram[row].tobytes(), "little")

    def _check(self, address: int, length: int) -> None:
        if any(address < bad.stop and bad.start < address + length for bad in self.bad):
            raise RuntimeError("error range")

    def jitter(self, chance: float, withhold: int) -> None:
        """Pause every AXI channel with this chance a cycle; withhold VRAM grants (of 256)."""
        read, write = self.ram.read_if, self.ram.write_if
        for channel in (read.ar_channel, read.r_channel, write.aw_channel, write.w_channel, write.b_channel):
            rng = random.Random(self.rng.random())
            channel.set_pause_generator(rng.random() < chance for _ in itertools.count())
        self.dut.withhold.value = withhold

    # what a transfer touches

    def form(self, transfer: Transfer) -> HbmFormat:
        return HbmFormat(self.element, self.block, transfer.bf16)

    def row_bytes(self, transfer: Transfer) -> int:
        return self.form(transfer).row_bytes(self.mlen)

    def element_rows(self, transfer: Transfer) -> list[int]:
        return [transfer.ebase + n * transfer.stride for n in range(self.rows[transfer.op])]

    def scale_rows(self, transfer: Transfer) -> list[int]:
        """Where the rows of scales begin; without scales they are empty."""
        step = transfer.stride // self.block
        return [transfer.sbase + n * step for n in range(self.rows[transfer.op])]

    def bytes_of(self, transfer: Transfer) -> set[int]:
        rows = [range(a, a + self.row_bytes(transfer)) for a in self.element_rows(transfer)]
        if not transfer.bf16:
            rows += [range(a, a + self.scales) for a in self.scale_rows(transfer)]
        return set(itertools.chain.from_iterable(rows))

    def vram_rows(self, transfer: Transfer) -> set[int]:
        if transfer.op == PREFETCH_M:
            return set()
        return {(transfer.row + n) % VRAM_ROWS for n in range(self.rows[transfer.op])}

    def beats(self, rows: list[int], length: int) -> int:
        """Beats that a transfer needs for its rows, each asked for once while rows move forwards."""
        count, last = 0, -1
        for address in rows:
            first, end = address // BEAT, (address + length - 1) // BEAT
            if length > BEAT and len(rows) > 1 and rows[1] - rows[0] < length:
                last = -1  # overlapping rows that are longer than a beat are read again
            count += end - max(first, last + 1) + 1
            last = end
        return count

    def apply(self, transfer: Transfer) -> None:
        """The transfer's effect on the expected memories; rows with a bad byte in their beats are spared."""
        rows = zip(self.element_rows(transfer), self.scale_rows(transfer), strict=True)
        form, length = self.form(transfer), self.row_bytes(transfer)
        row_scales = form.scale_bytes(length)
        for n, (elements, scales) in enumerate(rows):
            element_bytes = self.hbm[elements : elements + length]
            scale_bytes = self.hbm[scales : scales + row_scales]
            vram_row = (transfer.row + n) % VRAM_ROWS
            if transfer.op == STORE_V:
                element_bytes[:], scale_bytes[:] = form.encode(self.vram[vram_row])
                continue
            if self.row_is_bad(elements, length):
                continue
            if row_scales and self.row_is_bad(scales, row_scales):
                continue
            decoded = form.decode(element_bytes, scale_bytes)
            if transfer.op == PREFETCH_V:
                self.vram[vram_row] = decoded
            else:
                self.msram[transfer.tile * self.mlen + n] = decoded

    def row_is_bad(self, address: int, length: int) -> bool:
        first = address // BEAT * BEAT
        return any(first < bad.stop and bad.start < (address + length + BEAT - 1) // BEAT * BEAT
                   for bad in self.bad)  # fmt: skip

    # running

    def depends(self, new: Transfer, old: Transfer) -> bool:
        """Read-after-write between two transfers: the only order that the unit leaves to the scoreboard."""
        if old.op == STORE_V and new.op != STORE_V:
            return not self.bytes_of(old).isdisjoint(self.bytes_of(new))
        if old.op == PREFETCH_V and new.op == STORE_V:
            return not self.vram_rows(old).isdisjoint(self.vram_rows(new))
        return False

    async def cycle(self, push: Transfer | None = None) -> None:
        """One clock cycle: retire what is done, allow what may begin, and push an instruction if given."""
        dut = self.dut
        live = int(dut.live.value)
        for slot in range(SLOTS):
            if not live >> slot & 1:
                self.slots[slot] = None
                for waits in self.waits:
                    waits.discard(slot)
        dut.push.value = int(push is not None)
        if push is not None:
            slot = self.pushed % SLOTS
            assert self.slots[slot] is None
            self.waits[slot] = {s for s, old in enumerate(self.slots) if old and self.depends(push, old)}
            self.slots[slot] = push
            self.pushed += 1
            for name in ("op", "ebase", "sbase", "stride", "bf16", "tile", "row"):
                getattr(dut, f"push_{name}").value = getattr(push, name)
        dut.allow.value = sum((not waits) << s for s, waits in enumerate(self.waits))
        await FallingEdge(dut.clk)
        dut.push.value = 0

    def free(self) -> bool:
        return not int(self.dut.live.value) >> (self.pushed % SLOTS) & 1

    async def settle(self, limit: int = 20000) -> None:
        """Run until the unit is idle."""
        for _ in range(limit):
            await self.cycle()
            if int(self.dut.idle.value):
                return
        raise AssertionError(f"not idle after {limit} cycles")

    async def execute(self, transfers: list[Transfer], gap: int = 0) -> int:
        """Run transfers to the end with up to `gap` cycles between pushes; returns the cycles it took."""
        started = get_sim_time("ns")
        limit = 500 * self.mlen * len(transfers)
        waiting = deque(transfers)
        while waiting:
            assert get_sim_time("ns") - started < limit * PERIOD, "stuck"
            if self.free():
                self.apply(waiting[0])
                await self.cycle(waiting.popleft())
                for _ in range(self.rng.randrange(gap + 1)):
                    await self.cycle()
            else:
                await self.cycle()
        await self.settle()
        return int(get_sim_time("ns") - started) // PERIOD

    async def check(self) -> None:
        """Compare every memory and the error counters of the bench."""
        await self.cycle()
        dut = self.dut
        for name, expected in (("vram", self.vram), ("msram", self.msram)):
            handle = getattr(dut, name)
            for row, want in enumerate(expected):
                raw = handle[row].value.to_unsigned().to_bytes(2 * self.mlen, "little")
                got = np.frombuffer(raw, np.uint16)
                assert np.array_equal(got, want), f"{name} row {row}: got {got}, want {want}"
        got = np.frombuffer(bytes(self.ram.read(0, MEMORY)), np.uint8)
        wrong = np.flatnonzero(got != self.hbm)
        assert wrong.size == 0, f"HBM bytes {wrong[:16]}: got {got[wrong[:16]]}, want {self.hbm[wrong[:16]]}"
        assert int(dut.bench_errors.value) == 0
        assert int(dut.axi_errors.value) == 0

    def random_transfer(self) -> Transfer:
        """Any legal transfer; a store's own bytes do not overlap."""
        rng = self.rng
        op = rng.choice((PREFETCH_M, PREFETCH_V, PREFETCH_V, STORE_V))
        n = self.rows[op]
        form = HbmFormat(self.element, self.block, self.has_bf16 and rng.random() < 0.5)
        unit = form.alignment
        widest = (SCALE_REGION - 4096 - form.row_bytes(self.mlen)) // n // unit
        fewest = self.scales if op == STORE_V else 0  # strides in blocks
        near = max(fewest, min(widest, 3 * self.scales))
        stride = unit * rng.choice((
            self.scales,
            max(fewest, rng.randint(0, near)),
            rng.randint(fewest, widest),
            min(widest, max(fewest, 64 * rng.randint(0, 3))),
        ))  # fmt: skip
        aligned = rng.random() < 0.3
        # a few neighbouring bases, so that transfers meet each other's bytes
        ebase = max(BEAT, unit) * rng.randrange(8) if aligned else unit * rng.randrange(4096 // unit)
        if form.bf16 and rng.random() < 0.5:
            ebase += self.block
        sbase = SCALE_REGION + (BEAT * rng.randrange(4) if aligned else rng.randrange(1024))
        tile, row = rng.randrange(TILES), rng.randrange(VRAM_ROWS)
        return Transfer(op, ebase, sbase, stride, tile, row, form.bf16)

    def contiguous(self, op: int, base: int, tile: int = 0, row: int = 0) -> Transfer:
        """A transfer of whole rows one behind the other, its scales directly behind them."""
        return Transfer(op, base, base + self.rows[op] * self.mlen, self.mlen, tile, row)
