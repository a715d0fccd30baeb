"""Dispatch of the frontend, cycle by cycle: which instructions go together, and what they leave.

The units are as fast as can be: a slot is done in the cycle in which it is ready. The line of an instruction
comes a cycle after it is asked for. What the program must leave comes from the reference machine.
"""

from __future__ import annotations

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.machine.state import MemoryImages
from tb.engine.simulate import parameter
from tb.unit.dispatch_pairs import LINE_WORDS, PAIRS, place

HW = Hardware(16, 4, 8, vram_elems=1 << 12, msram_tiles=4, hbm_bytes=1 << 16)
IMAGES = MemoryImages.zeros(HW)


async def run(dut, words: list[int]) -> list[tuple[int, int]]:
    """Run a program to its stop; return, for each cycle that dispatches, the first pc and how many go."""
    dut.length.value = len(words)
    dut.start.value = 1
    await FallingEdge(dut.clk)
    dut.start.value = 0
    dispatched = []
    asked: list[int] = []
    int_mem: dict[int, int] = {}
    for _ in range(2000):
        await Timer(100, "ps")
        dut.slot_done.value = int(dut.slot_ready.value)
        dut.if_rvalid.value = bool(asked)
        if asked:
            line = words[asked[0] * LINE_WORDS :][:LINE_WORDS]
            dut.if_rdata.value = sum(word << 32 * n for n, word in enumerate(line))
            asked = []
        if int(dut.if_req.value):
            asked = [int(dut.if_addr.value) // (4 * LINE_WORDS)]
        await Timer(100, "ps")
        valid = int(dut.trace_valid.value)
        pc = int(dut.trace_pc.value)
        if valid:
            count = valid.bit_count()
            assert valid == (1 << count) - 1, "a second instruction without a first"
            shown = int(dut.trace_instr.value) & (1 << 32 * count) - 1
            assert shown == sum(word << 32 * n for n, word in enumerate(words[pc : pc + count]))
            dispatched.append((pc, count))
        word = int(dut.int_address.value)
        if int(dut.int_rd_en.value):
            dut.int_rd_data.value = int_mem.get(word, 0)
        if int(dut.int_wr_en.value):
            int_mem[word] = int(dut.int_wr_data.value)
        stopped = int(dut.stop.value)
        await FallingEdge(dut.clk)
        if stopped:
            return dispatched
    raise AssertionError("the program does not stop")


def check_end(dut, words: list[int], dispatched: list[tuple[int, int]]) -> None:
    """Registers, stop and count are those of the reference machine."""
    report = Machine(HW, MemoryImages.zeros(HW)).run(words)
    got = report.registers
    assert int(dut.instructions.value) == report.instructions == sum(count for _, count in dispatched)
    assert int(dut.stop_pc.value) == report.pc
    assert int(dut.gp_state.value) == sum(value << 32 * n for n, value in enumerate(got.gp))
    assert int(dut.a_state.value) == sum(value << 64 * n for n, value in enumerate(got.a))
    for name in ("scale", "stride", "v_mask"):
        assert int(dut[name].value) == getattr(got, name)


async def reset(dut) -> None:
    """Bring the frontend to its reset state, with units and memories that never hold it up."""
    cocotb.start_soon(Clock(dut.clk, 2, "ns").start())
    dut.rst.value = 1
    for name in ("start", "resume", "resume_pc", "base", "length", "watchdog", "slot_rd_done", "slot_done"):
        dut[name].value = 0
    for name in ("hbm_fault", "int_busy", "if_rvalid", "if_rerr", "if_rdata"):
        dut[name].value = 0
    dut.drain_limit.value = 1000
    dut.limit.value, dut.int_rd_data.value = HW.hbm_bytes, 0
    dut.hbm_idle.value = dut.if_gnt.value = 1
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0


@cocotb.test()
async def every_encoding(dut) -> None:
    """All 64 opcodes with no bit, every single bit and all bits of the rest: stop, pc, registers and count.

    What the table does not name traps as ILLEGAL_OPCODE, whatever its other bits.
    """
    await reset(dut)
    others = [0, *(1 << bit for bit in range(isa.OPCODE.width, 32)), isa.WORD_MASK & ~isa.OPCODE.mask]
    for opcode in range(1 << isa.OPCODE.width):
        entry = isa.BY_OPCODE.get(opcode)
        for bits in others:
            word = opcode | bits
            dispatched = await run(dut, [word])
            cause = int(dut.stop_cause.value)
            report = Machine(HW, IMAGES).run([word])
            wanted = 0 if report.cause is None else TrapCause[report.cause].value
            assert cause == wanted, f"{word:08X}: cause {cause}, not {wanted}"
            if entry is None or not entry.legal:
                assert cause == TrapCause.ILLEGAL_OPCODE, f"{word:08X}: cause {cause}, but its opcode is free"
            check_end(dut, [word], dispatched)


@cocotb.test()
async def pairs_as_the_table_says(dut) -> None:
    await reset(dut)
    width = parameter("DISPATCH_WIDTH")
    for pair in PAIRS:
        for word in (0, 7, LINE_WORDS - 1):
            words, pc = place(pair.first, pair.second, word, pair.before, pair.after)
            dispatched = await run(dut, words)
            counts = [count for at, count in dispatched if at == pc]
            wanted = 2 if pair.paired and width == 2 else 1
            assert counts and counts[-1] == wanted, f"{pair.name}, word {word}: {counts}, wanted {wanted}"
            check_end(dut, words, dispatched)
