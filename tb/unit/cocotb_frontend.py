"""Dispatch of the frontend, cycle by cycle: which instructions go together, and what they leave.

The units are as fast as can be: a slot is done in the cycle in which it is ready. The line of an instruction
comes a cycle after it is asked for. What the program must leave comes from the reference machine.
"""

from __future__ import annotations

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from plena_ref.isa import instructions as isa
from plena_ref.isa.assembler import assemble
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.machine.state import MemoryImages
from tb.engine.dut import Dut
from tb.engine.simulate import parameter
from tb.unit.dispatch_pairs import LINE_WORDS, PAIRS, place

HW = Hardware(16, 4, 8, vram_elems=1 << 12, msram_tiles=4, hbm_bytes=1 << 16)
IMAGES = MemoryImages.zeros(HW)


async def run(dut: Dut, words: list[int], base: int = 0) -> list[tuple[int, int]]:
    """Run a program to its stop; return, for each cycle that dispatches, the first pc and how many go."""
    dut.base.value = base
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
            held = words[asked[0] * LINE_WORDS :][:LINE_WORDS]
            dut.if_rdata.value = sum(word << 32 * n for n, word in enumerate(held))
            asked = []
        if int(dut.if_req.value):
            line, rest = divmod(int(dut.if_addr.value) - int(dut.base.value), 4 * LINE_WORDS)
            assert line >= 0 and not rest, "a line that is not of the program"
            asked = [line]
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
            dut.base.value = 0
            return dispatched
    raise AssertionError("the program does not stop")


def check_end(dut: Dut, words: list[int], dispatched: list[tuple[int, int]]) -> None:
    """Registers, stop and count are those of the reference machine."""
    report = Machine(HW, MemoryImages.zeros(HW)).run(words)
    got = report.registers
    assert int(dut.instructions.value) == report.instructions == sum(count for _, count in dispatched)
    assert int(dut.stop_pc.value) == report.pc
    assert int(dut.gp_state.value) == sum(value << 32 * n for n, value in enumerate(got.gp))
    assert int(dut.a_state.value) == sum(value << 64 * n for n, value in enumerate(got.a))
    for name in ("scale", "stride", "v_mask"):
        assert int(dut[name].value) == getattr(got, name)


async def reset(dut: Dut) -> None:
    """Bring the frontend to its reset state, with units and memories that never hold it up."""
    Clock(dut.clk, 2, "ns").start()
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
async def every_encoding(dut: Dut) -> None:
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
async def pairs_as_the_table_says(dut: Dut) -> None:
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


@cocotb.test()
async def a_program_past_the_end_of_addresses(dut: Dut) -> None:
    """The words below 2^64 run; the first one past it is a FETCH_ERROR, and its line is never asked for."""
    await reset(dut)
    words = assemble("S_ADDI_INT gp1, gp1, 1\n" * (3 * LINE_WORDS))
    for lines in (1, 2, 3):
        dispatched = await run(dut, words, (1 << 64) - 64 * lines)
        cause = int(dut.stop_cause.value)
        reached = LINE_WORDS * lines
        assert sum(count for _, count in dispatched) == reached
        if lines < 3:
            assert (cause, int(dut.stop_pc.value)) == (TrapCause.FETCH_ERROR, reached)
        else:
            assert (cause, int(dut.stop_pc.value)) == (0, len(words))


@cocotb.test()
async def a_transfer_past_the_end_of_addresses(dut: Dut) -> None:
    """Elements or scales whose last byte lies at or past LIMIT = 2^64 - 1 trap; one byte less does not."""
    await reset(dut)
    dut.limit.value = (1 << 64) - 1
    rows = {"H_PREFETCH_V gp0": HW.vpref, "H_STORE_V gp0": HW.vstore, "H_PREFETCH_M gp0": HW.mlen}
    for transfer, count in rows.items():
        for low, offset, scale, fits in (
            (-16 * count - 8, 0, 0, True),
            (-16 * count, 0, 0, False),
            (-16 * count - 24, 16, 0, True),
            (-16 * count - 24, 24, 0, False),
            (-8, 16 * count, 0, False),
            (-4096, 0, 4095 - 2 * count, True),
            (-4096, 0, 4096 - 2 * count, False),
            (-8, (1 << 32) - 8, (1 << 32) - 1, False),
        ):
            text = []
            for register, value in (
                (1, 0xFFFF_FFFF), (2, low & 0xFFFF_FFFF), (3, offset), (4, scale)
            ):  # fmt: skip
                text += [f"S_LUI_INT gp{register}, {value >> 12}"]
                text += [f"S_ADDI_INT gp{register}, gp{register}, {value & 0xFFF}"]
            text += ["C_SET_ADDR_REG a1, gp1, gp2", "C_SET_SCALE_REG gp4", f"{transfer}, gp3, a1, 0, 0"]
            words = assemble("\n".join(text))
            await run(dut, words)
            cause = int(dut.stop_cause.value)
            want = 0 if fits else TrapCause.HBM_ERROR
            assert cause == want, f"{transfer} at {low} + {offset}, scales {scale} behind: {cause}"
            assert int(dut.stop_pc.value) == len(words) - (not fits)
    dut.limit.value = HW.hbm_bytes
