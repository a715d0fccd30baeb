"""Loops, stops, resumes and traps of the reference machine."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.isa import instructions as isa
from plena_ref.isa.assembler import assemble
from plena_ref.machine.reference import InstructionLimitError, Machine
from plena_ref.machine.state import MemoryImages
from tests.isa.encodings import FREE
from tests.machines import SMALL, constant, run, stops

COUNT = "S_ADDI_INT gp10, gp10, 1\n"


@pytest.mark.parametrize("trips", [1, 2, 7])
def test_a_body_runs_exactly_n_times(trips: int) -> None:
    machine, report = run(f"C_LOOP_START gp1, {trips}\n{COUNT}C_LOOP_END gp1\n{COUNT}")
    assert machine.registers.gp[10] == trips + 1
    assert machine.registers.gp[1] == 0
    assert (report.status, report.pc, report.instructions) == ("stopped", 4, 2 + 2 * trips)


def test_the_counter_counts_down_in_the_body() -> None:
    text = "C_LOOP_START gp1, 3\nS_ST_INT gp1, gp10, 0\n" + COUNT + "C_LOOP_END gp1\n"
    assert stops(text).images.intmem[:3].tolist() == [3, 2, 1]


def test_the_largest_trip_count_is_22_bits() -> None:
    with pytest.raises(InstructionLimitError, match="within 1000 instructions; next is the one at pc 1"):
        run("C_LOOP_START gp1, 4194303\nC_LOOP_END gp1", max_instructions=1000)


def test_the_body_may_change_the_counter() -> None:
    leave = "C_LOOP_START gp1, 9\n" + COUNT + "S_ADDI_INT gp1, gp0, 1\nC_LOOP_END gp1\n"
    assert stops(leave).registers.gp[10] == 1
    zero = "C_LOOP_START gp1, 9\n" + COUNT + "S_ADDI_INT gp1, gp0, 0\nC_LOOP_END gp1\n"
    machine = stops(zero)
    assert (machine.registers.gp[10], machine.registers.gp[1]) == (1, 0)
    skip = (
        "C_LOOP_START gp1, 9\n" + COUNT + "S_ADDI_INT gp2, gp0, 2\nS_SUB_INT gp1, gp1, gp2\nC_LOOP_END gp1\n"
    )
    assert stops(skip).registers.gp[10] == 3


def test_nested_loops() -> None:
    text = f"C_LOOP_START gp1, 3\nC_LOOP_START gp2, 4\n{COUNT}C_LOOP_END gp2\nC_LOOP_END gp1\n"
    assert stops(text).registers.gp[10] == 12
    full = "".join(f"C_LOOP_START gp{n}, 2\n" for n in (1, 2, 3)) + COUNT
    assert stops(full + "".join(f"C_LOOP_END gp{n}\n" for n in (3, 2, 1))).registers.gp[10] == 8


def test_nested_loops_that_share_a_register_leave_the_outer_one() -> None:
    text = f"C_LOOP_START gp1, 5\nC_LOOP_START gp1, 3\n{COUNT}C_LOOP_END gp1\nC_LOOP_END gp1\n{COUNT}"
    machine = stops(text)
    assert (machine.registers.gp[10], machine.registers.gp[1]) == (4, 0)


def test_break_stops_inside_a_loop_and_resume_goes_on() -> None:
    words = assemble(f"C_LOOP_START gp1, 3\n{COUNT}C_BREAK\nC_LOOP_END gp1\nS_ADDI_INT gp11, gp0, 7\n")
    machine = Machine(SMALL, MemoryImages.zeros(SMALL))
    report = machine.run(words)
    assert (report.status, report.pc, report.instructions) == ("stopped", 2, 3)
    for completed in (6, 9):
        report = machine.run(words, pc=3, resume=True)
        assert (report.status, report.pc, report.instructions) == ("stopped", 2, completed)
    report = machine.run(words, pc=3, resume=True)
    assert (report.status, report.pc, report.instructions) == ("stopped", 5, 11)
    assert (report.registers.gp[10], report.registers.gp[11]) == (3, 7)


def test_a_new_run_resets_registers_and_loops_but_not_memories() -> None:
    machine = Machine(SMALL, MemoryImages.zeros(SMALL))
    text = "S_ADDI_INT gp1, gp0, 5\nS_ST_INT gp1, gp0, 3\nC_SET_STRIDE_REG gp1\nC_SET_V_MASK_REG gp1\n"
    text += "C_SET_SCALE_REG gp1\nC_SET_ADDR_REG a1, gp1, gp1\nS_EXP_FP f1, f0\nM_MM 0, gp0, gp0\n"
    assert machine.run(assemble(text + "C_LOOP_START gp2, 2\nC_BREAK")).status == "stopped"
    machine.images.msram[:] = 0x3F80
    machine.images.vram[:] = 0x3F80
    machine.run(assemble("M_MM 0, gp0, gp0\nC_BREAK"))
    report = machine.run(assemble("M_MM_WO gp0, gp0, 64"))
    assert report.status == "stopped" and report.registers == Machine(SMALL, machine.images).registers
    assert machine.images.intmem[3] == 5
    assert machine.images.vram[64] == 0


@pytest.mark.parametrize(
    ("text", "cause", "pc"),
    [
        ("C_LOOP_START gp1, 0", "LOOP_COUNT", 0),
        ("C_LOOP_START gp0, 1", "LOOP_COUNT", 0),
        ("C_LOOP_START gp1, 1\n" * 4, "LOOP_OVERFLOW", 3),
        ("C_LOOP_START gp1, 1\n" * 3 + "C_LOOP_START gp1, 0", "LOOP_COUNT", 3),
        ("C_LOOP_END gp1", "LOOP_MISMATCH", 0),
        ("C_LOOP_END gp0", "LOOP_MISMATCH", 0),
        ("C_LOOP_START gp1, 2\nC_LOOP_START gp2, 2\nC_LOOP_END gp1", "LOOP_MISMATCH", 2),
        ("C_LOOP_START gp1, 2\nC_LOOP_END gp1\nC_LOOP_END gp1", "LOOP_MISMATCH", 2),
        ("C_LOOP_START gp1, 2\nS_ADDI_INT gp1, gp0, 1", "LOOP_MISMATCH", 2),
    ],
)
def test_loop_traps(text: str, cause: str, pc: int) -> None:
    _, report = run(text)
    assert (report.status, report.cause, report.pc) == ("trap", cause, pc)


def test_an_empty_program_stops_at_once() -> None:
    _, report = run("")
    assert (report.status, report.pc, report.instructions) == ("stopped", 0, 0)


def test_a_resume_past_the_end_is_the_end() -> None:
    machine = Machine(SMALL, MemoryImages.zeros(SMALL))
    assert machine.run([], pc=9).pc == 9
    words = assemble("C_LOOP_START gp1, 2\nC_BREAK")
    machine.run(words)
    report = machine.run(words, pc=7, resume=True)
    assert (report.cause, report.pc, report.instructions) == ("LOOP_MISMATCH", 7, 2)


def test_run_refuses_what_is_no_program() -> None:
    machine = Machine(SMALL, MemoryImages.zeros(SMALL))
    with pytest.raises(ValueError, match="pc = -1 is negative"):
        machine.run([], pc=-1)
    with pytest.raises(ValueError, match="word at pc 1 does not fit 32 bits: 0x100000000"):
        machine.run([0x34, 1 << 32])
    with pytest.raises(ValueError, match="vram must be uint16"):
        Machine(SMALL, MemoryImages(**{**vars(MemoryImages.zeros(SMALL)), "vram": np.zeros(4, np.uint16)}))


NO_INSTRUCTION = [code for code in range(64) if code not in isa.BY_OPCODE or not isa.BY_OPCODE[code].legal]


def test_exactly_these_codes_are_no_instruction() -> None:
    assert FREE == NO_INSTRUCTION


@pytest.mark.parametrize("code", NO_INSTRUCTION)
def test_illegal_opcodes_trap_whatever_the_other_bits(code: int) -> None:
    for rest in (0, 0xFFFF_FFC0):
        report = Machine(SMALL, MemoryImages.zeros(SMALL)).run([code | rest])
        assert (report.cause, report.pc, report.instructions) == ("ILLEGAL_OPCODE", 0, 0)


@pytest.mark.parametrize("name", [entry.mnemonic for entry in isa.INSTRUCTIONS.values() if entry.legal])
def test_every_instruction_runs_and_each_bit_that_must_be_zero_traps(name: str) -> None:
    """With all registers 0 the bare opcode is fine; only loop instructions have traps of their own then."""
    instruction = isa.INSTRUCTIONS[name]
    own = {"C_LOOP_START": "LOOP_COUNT", "C_LOOP_END": "LOOP_MISMATCH"}
    machine = Machine(SMALL, MemoryImages.zeros(SMALL))
    report = machine.run([instruction.opcode])
    assert report.cause == own.get(name)
    for bit in range(32):
        if instruction.zero_mask >> bit & 1:
            report = machine.run([instruction.opcode | 1 << bit])
            assert report.cause == "ILLEGAL_OPERAND", bit


# gp1 is the address under test in each program. "ok" addresses are the last that pass.
VRAM, TILE = SMALL.vram_elems, SMALL.tile_elems
LAST_ROW = VRAM - SMALL.mlen
ADDRESS_RULES = [
    ("V_ADD_VV gp1, gp0, gp0", LAST_ROW, [(4, "VRAM_MISALIGNED"), (VRAM, "VRAM_RANGE")]),
    ("V_ADD_VV gp0, gp1, gp0", LAST_ROW, [(1, "VRAM_MISALIGNED"), (VRAM, "VRAM_RANGE")]),
    ("V_ADD_VV gp0, gp0, gp1", LAST_ROW, [(7, "VRAM_MISALIGNED"), (VRAM, "VRAM_RANGE")]),
    ("V_ADD_VV gp0, gp0, gp1", LAST_ROW, [(0xFFFF_FFFF, "VRAM_MISALIGNED"), (0xFFFF_FFF8, "VRAM_RANGE")]),
    ("V_MUL_VF gp1, gp0, f1", LAST_ROW, [(4, "VRAM_MISALIGNED"), (VRAM, "VRAM_RANGE")]),
    ("V_EXP_V gp0, gp1", LAST_ROW, [(4, "VRAM_MISALIGNED"), (VRAM, "VRAM_RANGE")]),
    ("V_SHFT_V gp1, gp0, gp0", LAST_ROW, [(4, "VRAM_MISALIGNED"), (VRAM, "VRAM_RANGE")]),
    ("V_RED_SUM f0, gp1", LAST_ROW, [(4, "VRAM_MISALIGNED"), (VRAM, "VRAM_RANGE")]),
    ("V_RED_MAX f1, gp1", LAST_ROW, [(4, "VRAM_MISALIGNED"), (VRAM, "VRAM_RANGE")]),
    ("S_MAP_V_FP gp1, gp0, 0", LAST_ROW, [(4, "VRAM_MISALIGNED"), (VRAM, "VRAM_RANGE")]),
    ("S_MAP_V_FP gp0, gp1, 3", 32 - 8 - 3, [(22, "FP_MEM_RANGE"), (0xFFFF_FFFD, "FP_MEM_RANGE")]),
    ("M_MM 0, gp0, gp1", VRAM - 4 * 8, [(4, "VRAM_MISALIGNED"), (VRAM - 24, "VRAM_RANGE")]),
    ("M_TMM 0, gp1, gp0", VRAM - 4 * 8, [(4, "VRAM_MISALIGNED"), (VRAM - 24, "VRAM_RANGE")]),
    (
        "M_MM 0, gp1, gp0",
        2 * TILE + 32,
        [(2, "MSRAM_MISALIGNED"), (8, "MSRAM_MISALIGNED"), (3 * TILE, "MSRAM_RANGE")],
    ),
    ("M_MM 0, gp1, gp0", 2 * TILE + 4, [(36, "MSRAM_MISALIGNED"), (3 * TILE + 4, "MSRAM_RANGE")]),
    ("M_TMM 0, gp0, gp1", 2 * TILE + 32, [(4, "MSRAM_MISALIGNED"), (3 * TILE + 32, "MSRAM_RANGE")]),
    ("M_TMM 0, gp0, gp1", 0, [(3 * TILE + 4, "MSRAM_MISALIGNED"), (0xFFFF_FFE0, "MSRAM_RANGE")]),
    ("M_MM_WO gp1, gp0, 4", VRAM - 32 - 4, [(2, "VRAM_MISALIGNED"), (VRAM - 24, "VRAM_RANGE")]),
    ("M_MM_WO gp1, gp0, 8", 0, [(0xFFFF_FFF8, "VRAM_RANGE"), (0xFFFF_FFFE, "VRAM_MISALIGNED")]),
    (
        "M_MM_WO gp0, gp1, 0",
        VRAM // 8 // 3 - 0,
        [(VRAM // 8 // 3 + 1, "VRAM_RANGE"), (0xFFFF_FFFF, "VRAM_RANGE")],
    ),
    ("M_MV 0, gp0, gp1", LAST_ROW, [(4, "VRAM_MISALIGNED"), (VRAM, "VRAM_RANGE")]),
    ("M_TMV 0, gp0, gp1", LAST_ROW, [(4, "VRAM_MISALIGNED"), (VRAM, "VRAM_RANGE")]),
    ("M_MV 0, gp1, gp0", 2 * TILE + 32, [(8, "MSRAM_MISALIGNED"), (3 * TILE, "MSRAM_RANGE")]),
    ("M_MV 0, gp1, gp0", 2 * TILE + 4, [(36, "MSRAM_MISALIGNED"), (3 * TILE + 4, "MSRAM_RANGE")]),
    ("M_TMV 0, gp1, gp0", 2 * TILE + 32, [(4, "MSRAM_MISALIGNED"), (3 * TILE + 32, "MSRAM_RANGE")]),
    ("M_MV_WO gp1, 4", VRAM - 8, [(2, "VRAM_MISALIGNED"), (VRAM - 4, "VRAM_RANGE")]),
    ("M_MV_WO gp1, 8", 0, [(0xFFFF_FFF8, "VRAM_RANGE"), (0xFFFF_FFFE, "VRAM_MISALIGNED")]),
    *(
        rule
        for name, rows in (("M_BMM", 8), ("M_BTMM", 8), ("M_BMV", 1), ("M_BTMV", 1))
        for rule in (
            (f"{name} 0, gp0, gp1", VRAM - rows * 8, [(4, "VRAM_MISALIGNED"), (VRAM, "VRAM_RANGE")]),
            (f"{name} gp0, gp0, gp1", 0, [(VRAM - rows * 8 + 8, "VRAM_RANGE")]),
            (f"{name} gp1, gp0, gp0", 2 * TILE + 4, [(2, "MSRAM_MISALIGNED"), (8, "MSRAM_MISALIGNED")]),
            (f"{name} gp0, gp1, gp0", 2 * TILE + 4, [(32, "MSRAM_MISALIGNED"), (3 * TILE, "MSRAM_RANGE")]),
            (f"{name} gp2, gp1, gp0", 2 * TILE + 1, [(4, "MSRAM_MISALIGNED"), (3 * TILE + 1, "MSRAM_RANGE")]),
            (f"{name} gp2, gp1, gp0", 1, [(0xFFFF_FFFD, "MSRAM_RANGE")]),
        )
    ),
    ("M_BMM_WO gp1, 8", VRAM - 16 * 8 - 8, [(4, "VRAM_MISALIGNED"), (VRAM - 16 * 8, "VRAM_RANGE")]),
    ("M_BMV_WO gp1, 8", VRAM - 2 * 8 - 8, [(4, "VRAM_MISALIGNED"), (VRAM - 2 * 8, "VRAM_RANGE")]),
    ("M_BMV_WO gp1, 8", 0, [(0xFFFF_FFF8, "VRAM_RANGE"), (0xFFFF_FFFC, "VRAM_MISALIGNED")]),
    ("V_TOPK gp0, gp1, gp0, 0", VRAM - 32, [(4, "VRAM_MISALIGNED"), (VRAM - 24, "VRAM_RANGE")]),
    ("V_TOPK gp0, gp1, gp0, 1", VRAM - 128, [(1, "VRAM_MISALIGNED"), (VRAM - 120, "VRAM_RANGE")]),
    ("V_TOPK gp1, gp0, gp0, 0", 28, [(29, "FP_MEM_RANGE"), (0xFFFF_FFFF, "FP_MEM_RANGE")]),
    ("V_TOPK gp1, gp0, gp0, 1", 24, [(25, "FP_MEM_RANGE")]),
    ("V_TOPK gp0, gp0, gp1, 0", 12, [(13, "INT_MEM_RANGE"), (0xFFFF_FFFF, "INT_MEM_RANGE")]),
    ("V_TOPK gp0, gp0, gp1, 1", 8, [(9, "INT_MEM_RANGE")]),
    ("S_LD_FP f1, gp1, 4", 27, [(28, "FP_MEM_RANGE"), (0xFFFF_FFFC, "FP_MEM_RANGE")]),
    ("S_LD_FP f0, gp1, 4", 27, [(28, "FP_MEM_RANGE")]),
    ("S_ST_FP f1, gp1, 4", 27, [(28, "FP_MEM_RANGE"), (0xFFFF_FFFC, "FP_MEM_RANGE")]),
    ("S_LD_INT gp2, gp1, 4", 11, [(12, "INT_MEM_RANGE"), (0xFFFF_FFFC, "INT_MEM_RANGE")]),
    ("S_LD_INT gp0, gp1, 4", 11, [(12, "INT_MEM_RANGE")]),
    ("S_ST_INT gp2, gp1, 4", 11, [(12, "INT_MEM_RANGE"), (0xFFFF_FFFC, "INT_MEM_RANGE")]),
    ("H_PREFETCH_M gp1, gp0, a1, 0, 0", 2 * TILE, [(8, "MSRAM_MISALIGNED"), (3 * TILE, "MSRAM_RANGE")]),
    ("H_PREFETCH_V gp1, gp0, a1, 0, 0", VRAM - 32, [(4, "VRAM_MISALIGNED"), (VRAM - 24, "VRAM_RANGE")]),
    ("H_STORE_V gp1, gp0, a1, 0, 0", VRAM - 32, [(4, "VRAM_MISALIGNED"), (VRAM - 24, "VRAM_RANGE")]),
]


@pytest.mark.parametrize(("instruction", "ok", "bad"), ADDRESS_RULES, ids=lambda value: str(value)[:40])
def test_address_rules(instruction: str, ok: int, bad: list[tuple[int, str]]) -> None:
    """The last good address passes, each bad one traps with its cause and leaves everything as it was."""
    before = "S_EXP_FP f1, f0\nS_ADDI_INT gp2, gp0, 3\n"
    program = before + constant("gp1", ok) + instruction
    _, report = run(program, MemoryImages.zeros(SMALL))
    assert report.cause is None
    for address, cause in bad:
        images = MemoryImages.poisoned(SMALL)
        reference, untouched = run(before + constant("gp1", address), images.copy())
        program = before + constant("gp1", address) + instruction
        machine, report = run(program, images)
        assert (report.status, report.cause, report.pc, report.instructions) == ("trap", cause, 4, 4), address
        assert report.registers == untouched.registers
        for memory in ("vram", "msram", "fpmem", "intmem", "hbm"):
            assert np.array_equal(getattr(machine.images, memory), getattr(reference.images, memory)), memory
            assert not getattr(machine.written, memory).any(), memory


@pytest.mark.parametrize(
    ("setup", "instruction", "cause"),
    [
        ((VRAM, 4), "V_ADD_VV gp1, gp2, gp0", "VRAM_MISALIGNED"),
        ((VRAM, 3 * TILE + 2), "M_MM 0, gp2, gp1", "VRAM_RANGE"),
        ((3 * TILE + 2, 4), "M_MM 0, gp1, gp2", "VRAM_MISALIGNED"),
        ((0, 3 * TILE + 2), "M_MM 0, gp2, gp1", "MSRAM_MISALIGNED"),
        ((VRAM, 99), "S_MAP_V_FP gp1, gp2, 0", "VRAM_RANGE"),
        ((4, 99), "S_MAP_V_FP gp1, gp2, 0", "VRAM_MISALIGNED"),
        ((3 * TILE, 3), "H_PREFETCH_M gp1, gp2, a1, 0, 0", "MSRAM_RANGE"),
        ((VRAM, 3), "H_PREFETCH_V gp1, gp2, a1, 0, 0", "VRAM_RANGE"),
        ((0, 1 << 20 | 4), "H_STORE_V gp1, gp2, a1, 0, 0", "HBM_MISALIGNED"),
        ((VRAM, 2), "M_BMM gp2, gp0, gp1", "VRAM_RANGE"),
        ((4, 3 * TILE), "M_BTMV gp2, gp0, gp1", "VRAM_MISALIGNED"),
        ((3 * TILE, 2), "M_BTMM gp2, gp1, gp0", "MSRAM_MISALIGNED"),
        ((VRAM, 3 * TILE + 2), "M_TMV 0, gp2, gp1", "VRAM_RANGE"),
        ((99, VRAM), "V_TOPK gp1, gp2, gp1, 0", "VRAM_RANGE"),
        ((99, 4), "V_TOPK gp1, gp2, gp1, 0", "VRAM_MISALIGNED"),
        ((99, 0), "V_TOPK gp1, gp2, gp1, 0", "FP_MEM_RANGE"),
        ((14, 0), "V_TOPK gp1, gp2, gp1, 1", "INT_MEM_RANGE"),
    ],
)
def test_the_lowest_cause_wins(setup: tuple[int, int], instruction: str, cause: str) -> None:
    program = constant("gp1", setup[0]) + constant("gp2", setup[1]) + instruction
    _, report = run(program)
    assert report.cause == cause


def test_illegal_operand_comes_before_bad_addresses() -> None:
    words = assemble(constant("gp1", 4))
    word = isa.INSTRUCTIONS["S_LD_FP"].encode([1, 1, 1 << 17]) | 8 << isa.RD.lsb
    assert Machine(SMALL, MemoryImages.zeros(SMALL)).run([*words, word]).cause == "ILLEGAL_OPERAND"


def test_a_trap_needs_its_instruction_to_be_reached() -> None:
    words = [*assemble("S_ADDI_INT gp1, gp0, 1\nC_BREAK"), 0x0000_0000]
    assert Machine(SMALL, MemoryImages.zeros(SMALL)).run(words).status == "stopped"


def test_poison_marks_every_memory() -> None:
    images = MemoryImages.poisoned(SMALL)
    assert {int(x) for x in np.unique(images.vram)} == {0xFFA5} == {int(x) for x in np.unique(images.msram)}
    assert {int(x) for x in np.unique(images.fpmem)} == {0xFFA5}
    assert {int(x) for x in np.unique(images.intmem)} == {0xFFA5_FFA5}
    assert {int(x) for x in np.unique(images.hbm)} == {0xFF}
    copy = images.copy()
    copy.vram[0] = 0
    assert images.vram[0] == 0xFFA5
