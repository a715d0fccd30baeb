"""Control registers through cocotbext-axi's AXI4-Lite master, with random pauses."""

from __future__ import annotations

import itertools
import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from plena_ref.isa import csr
from tb.engine.dut import Dut

OFFSET = {register.name: register.offset for register in csr.REGISTERS.values()}


async def setup(dut: Dut) -> AxiLiteMaster:
    Clock(dut.clk, 2, "ns").start()
    for name in (
        "running",
        "stop",
        "stop_cause",
        "stop_undrained",
        "stop_fault",
        "late_reads",
        "late_writes",
        "stop_pc",
        "cycles",
        "instructions",
        "gp_state",
        "f_state",
        "a_state",
        "scale",
        "stride",
        "v_mask",
        "counter_hit",
        "counter_word",
    ):
        getattr(dut, name).value = 0
    dut.ids_ready.value = 1
    dut.rst.value = 1
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
    rng = random.Random(5)
    for channel in (
        master.write_if.aw_channel,
        master.write_if.w_channel,
        master.write_if.b_channel,
        master.read_if.ar_channel,
        master.read_if.r_channel,
    ):
        channel.set_pause_generator(rng.random() < 0.4 for _ in itertools.count())
    await FallingEdge(dut.clk)
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    return master


@cocotb.test()
async def configuration_and_read_write(dut: Dut) -> None:
    master = await setup(dut)
    assert await master.read_dword(OFFSET["ID"]) == 0x504C4E41
    config = await master.read_dword(OFFSET["CONFIG0"])
    assert config == 5 | 3 << 4 | 4 << 8 | 3 << 12 | 8 << 16 | 1 << 24 | 5 << 28
    assert await master.read_dword(OFFSET["CONFIG1"]) == 8 | 4 << 16
    assert await master.read_dword(OFFSET["VRAM_ELEMS"]) == 1 << 20
    names = (
        "BASE_LO",
        "BASE_HI",
        "LENGTH",
        "RESUME_PC",
        "LIMIT_LO",
        "LIMIT_HI",
        "WATCHDOG_LO",
        "WATCHDOG_HI",
    )
    for i, name in enumerate(names):
        await master.write_dword(OFFSET[name], 0x1234_5670 + 0x0101_0101 * i)
    for i, name in enumerate(names):
        assert await master.read_dword(OFFSET[name]) == 0x1234_5670 + 0x0101_0101 * i
    await master.write(OFFSET["LENGTH"] + 1, b"\xaa")
    assert await master.read_dword(OFFSET["LENGTH"]) == (0x1234_5672 + 0x0101_0100 * 2) & ~0xFF00 | 0xAA00
    assert int(dut.base.value) == 0x13355771_12345670 + 0x0


@cocotb.test()
async def unknown_registers_answer_an_error(dut: Dut) -> None:
    master = await setup(dut)
    for address in (0x0FC, 0x7FC):
        assert (await master.read(address, 4)).resp == AxiResp.SLVERR
        assert (await master.write(address, bytes(4))).resp == AxiResp.SLVERR
    assert (await master.write(OFFSET["CYCLES_LO"], bytes(4))).resp == AxiResp.SLVERR


@cocotb.test()
async def start_stop_and_interrupt(dut: Dut) -> None:
    master = await setup(dut)
    pulses = {"start": 0, "resume": 0}

    async def count() -> None:
        while True:
            await RisingEdge(dut.clk)
            for name in pulses:
                pulses[name] += int(getattr(dut, name).value)

    cocotb.start_soon(count())
    await master.write_dword(OFFSET["IRQ_ENABLE"], 3)
    for cause in (0, 10):
        await master.write_dword(OFFSET["CTRL"], 1)
        await FallingEdge(dut.clk)
        dut.running.value = 1
        assert await master.read_dword(OFFSET["STATUS"]) == 1
        await FallingEdge(dut.clk)
        dut.stop.value, dut.stop_cause.value, dut.stop_pc.value = 1, cause, 77 + cause
        await FallingEdge(dut.clk)
        dut.stop.value, dut.running.value = 0, 0
        assert int(dut.irq.value) == 1
        assert await master.read_dword(OFFSET["STATUS"]) == (4 if cause else 2)
        assert await master.read_dword(OFFSET["CAUSE"]) == cause
        assert await master.read_dword(OFFSET["PC"]) == 77 + cause
        await master.write_dword(OFFSET["IRQ_STATUS"], 3)
        assert int(dut.irq.value) == 0
    await master.write_dword(OFFSET["CTRL"], 2)
    assert pulses == {"start": 2, "resume": 1}


@cocotb.test()
async def shows_the_architectural_registers(dut: Dut) -> None:
    master = await setup(dut)
    rng = random.Random(11)
    gp = [rng.randrange(1 << 32) for _ in range(16)]
    f = [rng.randrange(1 << 16) for _ in range(8)]
    a = [rng.randrange(1 << 64) for _ in range(8)]
    dut.gp_state.value = sum(value << (32 * i) for i, value in enumerate(gp))
    dut.f_state.value = sum(value << (16 * i) for i, value in enumerate(f))
    dut.a_state.value = sum(value << (64 * i) for i, value in enumerate(a))
    dut.scale.value, dut.stride.value, dut.v_mask.value = 5, 6, 3
    dut.cycles.value, dut.instructions.value = 0x1_0000_0002, 0x3_0000_0004
    for i in range(16):
        assert await master.read_dword(OFFSET["GP"] + 4 * i) == gp[i]
    for i in range(8):
        assert await master.read_dword(OFFSET["F"] + 4 * i) == f[i]
        assert await master.read_qword(OFFSET["A_LO"] + 8 * i) == a[i]
    assert [await master.read_dword(OFFSET[name]) for name in ("SCALE", "STRIDE", "V_MASK")] == [5, 6, 3]
    assert await master.read_qword(OFFSET["CYCLES_LO"]) == 0x1_0000_0002
    assert await master.read_qword(OFFSET["INSTRUCTIONS_LO"]) == 0x3_0000_0004
