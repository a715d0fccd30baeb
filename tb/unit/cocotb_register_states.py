"""Every control register in every state of the machine, against a model made from the register table.

The model knows from plena_ref/isa/csr.py what a register is, and the states from docs/isa.md, "Programs and
their control".
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from plena_ref.isa import csr
from plena_ref.isa.csr import Access
from tb.engine.dut import Dut
from tb.engine.simulate import parameter

OKAY, SLVERR = 0, 2
ONES = 0xFFFF_FFFF
OFFSET = {name: register.offset for name, register in csr.REGISTERS.items()}
#: Registers that only a machine at rest takes.
BOUNDS = {"BASE_LO", "BASE_HI", "LENGTH", "RESUME_PC", "LIMIT_LO", "LIMIT_HI", "WATCHDOG_LO", "WATCHDOG_HI"}
BOUNDS |= {"DRAIN_LIMIT"}
STATUS = {field.name: 1 << field.lsb for field in csr.REGISTERS["STATUS"].fields}
START, RESUME, ABORT = (1 << field.lsb for field in csr.REGISTERS["CTRL"].fields)


def mask(register: csr.Register) -> int:
    """The bits of a register that are not always 0."""
    if not register.fields:
        return ONES
    return sum(((1 << field.width) - 1) << field.lsb for field in register.fields)


def config(name: str, **values: int) -> int:
    """The word of a register from its fields."""
    return sum(values[field.name] << field.lsb for field in csr.REGISTERS[name].fields)


class Host:
    """Drives the AXI4-Lite port and the machine's side, and keeps what every register must read."""

    def __init__(self, dut: Dut) -> None:
        self.dut = dut
        self.rng = random.Random(3)
        self.running = False
        self.ids_ready = True
        shape = {name: parameter(name) for name in ("MLEN", "BLEN", "HLEN", "VPREF", "VSTORE")}
        log = {f"LOG2_{name}": shape[name].bit_length() - 1 for name in ("MLEN", "BLEN", "HLEN")}
        self.want = {
            register.address(n): register.reset or 0
            for register in csr.REGISTERS.values()
            for n in range(register.count)
        }
        self.want[OFFSET["CONFIG0"]] = config(
            "CONFIG0", **log, LOG2_MX_BLOCK=3, LOOP_DEPTH=8, ELEMENT=1, HBM_BF16=5
        )
        self.want[OFFSET["CONFIG1"]] = config("CONFIG1", VPREF=shape["VPREF"], VSTORE=shape["VSTORE"])
        for name, size in (("VRAM_ELEMS", 1 << 20), ("MSRAM_TILES", 64), ("FP_WORDS", 1024)):
            self.want[OFFSET[name]] = size
        self.want[OFFSET["INT_WORDS"]] = 1024

    async def reset(self) -> None:
        dut = self.dut
        Clock(dut.clk, 2, "ns").start()
        for name in ("running", "stop", "stop_cause", "stop_undrained", "stop_fault", "stop_pc", "late_reads",
                     "late_writes", "s_axil_awvalid", "s_axil_wvalid", "s_axil_arvalid"):  # fmt: skip
            getattr(dut, name).value = 0
        dut.ids_ready.value = dut.s_axil_bready.value = dut.s_axil_rready.value = 1
        dut.rst.value = 1
        self.architectural(zero=True)
        await FallingEdge(dut.clk)
        await FallingEdge(dut.clk)
        dut.rst.value = 0

    def architectural(self, zero: bool = False) -> None:
        """New contents of everything that the machine shows."""
        dut, rng = self.dut, self.rng

        def words(name: str, count: int, bits: int = 32) -> int:
            values = [0 if zero else rng.getrandbits(bits) for _ in range(count)]
            for n, value in enumerate(values):
                self.want[csr.REGISTERS[name].address(n)] = value
            return values[0] if count == 1 else sum(value << bits * n for n, value in enumerate(values))

        dut.gp_state.value = words("GP", 16)
        dut.f_state.value = words("F", 8, 16)
        low, high = words("A_LO", 8), words("A_HI", 8)
        dut.a_state.value = sum(
            (low >> 32 * n & ONES) << 64 * n | (high >> 32 * n & ONES) << 64 * n + 32 for n in range(8)
        )
        dut.scale.value, dut.stride.value = words("SCALE", 1), words("STRIDE", 1)
        dut.v_mask.value = words("V_MASK", 1, parameter("MLEN") // parameter("HLEN"))
        dut.cycles.value = words("CYCLES_LO", 1) | words("CYCLES_HI", 1) << 32
        dut.instructions.value = words("INSTRUCTIONS_LO", 1) | words("INSTRUCTIONS_HI", 1) << 32
        self.counters = 0 if zero else rng.getrandbits(32)
        dut.counter_word.value, dut.counter_hit.value = self.counters, 1
        for name, register in csr.REGISTERS.items():
            if register.offset >= OFFSET["DISPATCH_LO"] and name not in ("GP", "F", "A_LO", "A_HI"):
                for n in range(register.count):
                    self.want[register.address(n)] = self.counters

    async def write(self, address: int, data: int, strobes: int = 15, stop: int | None = None) -> int:
        """One write; with `stop`, a stop of that cause in the cycle in which it takes effect."""
        dut = self.dut
        dut.s_axil_awaddr.value, dut.s_axil_wdata.value, dut.s_axil_wstrb.value = address, data, strobes
        dut.s_axil_awvalid.value = dut.s_axil_wvalid.value = 1
        await FallingEdge(dut.clk)
        dut.s_axil_awvalid.value = dut.s_axil_wvalid.value = 0
        if stop is not None:
            dut.stop.value, dut.stop_cause.value = 1, stop
        await FallingEdge(dut.clk)
        dut.stop.value = 0
        assert int(dut.s_axil_bvalid.value) == 1
        response = int(dut.s_axil_bresp.value)
        await FallingEdge(dut.clk)
        return response

    async def read(self, address: int) -> tuple[int, int]:
        dut = self.dut
        dut.s_axil_araddr.value, dut.s_axil_arvalid.value = address, 1
        await FallingEdge(dut.clk)
        dut.s_axil_arvalid.value = 0
        assert int(dut.s_axil_rvalid.value) == 1
        value, response = int(dut.s_axil_rdata.value), int(dut.s_axil_rresp.value)
        await FallingEdge(dut.clk)
        return value, response

    async def check(self, state: str) -> None:
        """Read every register."""
        for address, want in self.want.items():
            value, response = await self.read(address)
            assert response == OKAY, f"{state}: {address:03X} answers {response}"
            assert value == want, f"{state}: {address:03X} reads {value:08X}, not {want:08X}"
        assert int(self.dut.irq.value) == bool(
            self.want[OFFSET["IRQ_ENABLE"]] & self.want[OFFSET["IRQ_STATUS"]]
        ), state

    async def check_writes(self, state: str) -> None:
        """Write every register but CTRL in words and in single bytes; each takes what it must and no more."""
        for register in csr.REGISTERS.values():
            for n in range(register.count) if register.name != "CTRL" else ():
                address = register.address(n)
                for data, strobes in self.patterns():
                    lanes = sum(0xFF << 8 * lane for lane in range(4) if strobes >> lane & 1)
                    taken = register.access in (Access.RW, Access.W1C)
                    taken &= not (self.running and register.name in BOUNDS)
                    response = await self.write(address, data, strobes)
                    assert response == (OKAY if taken else SLVERR), f"{state}: write of {address:03X}"
                    if taken and register.access is Access.W1C:
                        self.want[address] &= ~(data & lanes)
                    elif taken:
                        kept = self.want[address] & ~lanes
                        self.want[address] = (kept | data & lanes) & mask(register)
                    if register.access is not Access.RO:
                        value = (await self.read(address))[0]
                        want = self.want[address]
                        assert value == want, f"{state}: {register.name} {value:08X}, not {want:08X}"
        await self.check(state + ", behind the writes")

    def patterns(self) -> Iterator[tuple[int, int]]:
        """Data and strobes: random words whole, no byte, and each byte alone."""
        for strobes in (15, 0, 1, 2, 4, 8):
            yield self.rng.getrandbits(32), strobes

    def expect(self, cause: int | None = None, pc: int | None = None, *status: str) -> None:
        """Set what STATUS, CAUSE and PC must read."""
        self.want[OFFSET["STATUS"]] = sum(STATUS[name] for name in status)
        if cause is not None:
            self.want[OFFSET["CAUSE"]] = cause
        if pc is not None:
            self.want[OFFSET["PC"]] = pc

    async def command(self, word: int, wanted: str | None, strobes: int = 15) -> None:
        """Write CTRL; `wanted` is the pulse that must come, alone and for one cycle."""
        seen = dict.fromkeys(("start", "resume", "abort"), 0)

        async def watch() -> None:
            for _ in range(3):
                await FallingEdge(self.dut.clk)
                for name in seen:
                    seen[name] += int(getattr(self.dut, name).value)

        task = cocotb.start_soon(watch())
        assert await self.write(OFFSET["CTRL"], word, strobes) == OKAY
        await task
        assert seen == {name: int(name == wanted) for name in seen}, f"{word}: {seen}, wanted {wanted}"
        if wanted in ("start", "resume", "abort"):
            self.running = wanted != "abort"
            self.dut.running.value = int(self.running)

    async def stop(self, cause: int, pc: int, undrained: bool = False, fault: bool = False) -> None:
        """The program stops; the event is left for the test to clear."""
        dut = self.dut
        dut.stop.value, dut.stop_cause.value, dut.stop_pc.value = 1, cause, pc
        dut.stop_undrained.value, dut.stop_fault.value = int(undrained), int(fault)
        await FallingEdge(dut.clk)
        self.running = False
        dut.stop.value = dut.running.value = dut.stop_undrained.value = dut.stop_fault.value = 0
        self.want[OFFSET["IRQ_STATUS"]] |= 2 if cause else 1


@cocotb.test()
async def every_register_in_every_state(dut: Dut) -> None:
    host = Host(dut)
    await host.reset()
    await host.check("reset")
    host.architectural()
    await host.check("reset, machine state changed")
    await host.check_writes("reset")
    await host.command(START, "start")
    host.expect(0, None, "RUNNING")
    await host.check_writes("running")
    await host.command(START | RESUME, None)
    await host.check("running, started again")
    await host.stop(0, 0x1234)
    host.expect(0, 0x1234, "STOPPED")
    host.architectural()
    await host.check("stopped")
    await host.check_writes("stopped")
    await host.command(RESUME, "resume")
    host.expect(0, 0x1234, "RUNNING")
    await host.check_writes("resumed")
    for cause in range(1, 16):
        await host.stop(cause, 100 + cause, fault=cause == 10)
        host.expect(cause, 100 + cause, "TRAPPED", *(["BUS_ERROR"] if cause == 10 else []))
        await host.check(f"trapped {cause}")
        await host.command(START | RESUME, "start")
        host.expect(0, None, "RUNNING")
        await host.check(f"started behind trap {cause}")
    await host.stop(10, 77, fault=True)
    host.expect(10, 77, "TRAPPED", "BUS_ERROR")
    await host.check_writes("trapped")


@cocotb.test()
async def undrained_aborted_refused(dut: Dut) -> None:
    host = Host(dut)
    await host.reset()
    await host.command(RESUME, "resume")
    await host.stop(15, 9, undrained=True, fault=True)
    host.expect(15, 9, "TRAPPED", "UNDRAINED", "BUS_ERROR")
    await host.check_writes("undrained")
    await host.command(START, None)
    host.expect(15, 9, "TRAPPED", "UNDRAINED", "BUS_ERROR", "REFUSED")
    await host.check("start refused")
    await host.command(RESUME, None)
    await host.check_writes("resume refused")
    await host.command(START | RESUME | ABORT, "abort")
    host.expect(15, 9, "ABORTED")
    await host.check_writes("aborted")
    await host.command(RESUME, None)
    host.expect(15, 9, "ABORTED", "REFUSED")
    await host.check("resume of an aborted program")
    for late in ("LATE_READS", "LATE_WRITES"):
        getattr(dut, late.lower()).value = 1
        host.expect(15, 9, "ABORTED", "REFUSED", late)
        await host.check(late)
        getattr(dut, late.lower()).value = 0
    dut.ids_ready.value = 0
    await host.command(START, None)
    host.expect(15, 9, "ABORTED", "REFUSED", "NO_IDS")
    await host.check("no group of IDs")
    dut.ids_ready.value = 1
    await host.command(START, "start")
    host.expect(0, 9, "RUNNING")
    await host.check("started behind an abort")
    dut.stop_pc.value = 55
    await host.command(ABORT, "abort")
    host.expect(0, 55, "ABORTED")
    await host.check_writes("aborted while running")
    await host.command(START, "start")
    await host.command(ABORT | START, None, strobes=14)
    host.expect(0, 55, "RUNNING")
    await host.check("commands without their byte")
    await host.stop(0, 3)
    host.expect(0, 3, "STOPPED")
    await host.command(ABORT, "abort")
    host.expect(0, 3, "ABORTED")
    await host.check("aborted at rest")


@cocotb.test()
async def an_event_in_the_cycle_of_its_clearing(dut: Dut) -> None:
    """Each event against each clearing, in the same cycle: what comes stays, what was there goes."""
    host = Host(dut)
    await host.reset()
    await host.write(OFFSET["IRQ_ENABLE"], 3)
    host.want[OFFSET["IRQ_ENABLE"]] = 3
    for before in range(4):
        for clear in range(4):
            for cause in (0, 9):
                await host.write(OFFSET["IRQ_STATUS"], 3)
                for bit, earlier in ((1, 0), (2, 9)):
                    if before & bit:
                        await host.command(START, "start")
                        await host.stop(earlier, 0)
                await host.command(START, "start")
                await host.write(OFFSET["IRQ_STATUS"], clear, stop=cause)
                host.running, dut.running.value = False, 0
                host.want[OFFSET["IRQ_STATUS"]] = before & ~clear | (2 if cause else 1)
                host.expect(cause, 0, "TRAPPED" if cause else "STOPPED")
                await host.check(f"{before} cleared with {clear}, cause {cause}")
