"""Start again without reset: after normal stops, traps, bus errors and the watchdog; resume; the watchdog."""

from __future__ import annotations

from dataclasses import replace

from plena_ref.isa.assembler import assemble
from plena_ref.isa.instructions import TrapCause
from tb.bench.harness import run
from tb.fuzz.random_programs import generate
from tb.system.equivalence import DIRECTED, bounded, check, memory_differences, random_images

FOREVER = """
C_LOOP_START gp1, 4194303
C_LOOP_START gp2, 4194303
S_ADD_FP f1, f1, f2
V_ADD_VV gp0, gp0, gp0
C_LOOP_END gp2
C_LOOP_END gp1
"""

#: Stops in the middle of a loop with sums in the accumulators and in f, a and control registers.
INTERRUPTED = """
S_ADDI_INT gp3, gp0, 7
C_SET_STRIDE_REG gp3
C_SET_SCALE_REG gp3
C_SET_V_MASK_REG gp3
C_SET_ADDR_REG a3, gp3, gp3
S_LD_FP f3, gp0, 5
C_LOOP_START gp1, 3
M_MM 0, gp0, gp0
V_RED_SUM f3, gp0
C_BREAK
S_ADDI_INT gp3, gp3, 64
M_MM_WO gp3, gp0, 9
S_MUL_FP f3, f3, f3
C_LOOP_END gp1
S_ST_FP f3, gp0, 8
"""


def test_a_program_gives_the_same_whatever_ran_before() -> None:
    """One program behind ends of every kind, without a reset in between."""
    program = generate(DIRECTED, 5, 250, trap_probability=0, wild_probability=0)
    again = bounded(program.words, program.images, program.limit, reset=False)
    jobs = {"fresh": replace(again, reset=True), "after a stop": again}
    for cause in (
        TrapCause.ILLEGAL_OPCODE,
        TrapCause.VRAM_RANGE,
        TrapCause.HBM_ERROR,
        TrapCause.LOOP_MISMATCH,
    ):
        trap = generate(DIRECTED, 77, 60, cause=cause)
        jobs[f"trap {cause.name}"] = bounded(trap.words, trap.images, trap.limit, reset=False)
        jobs[f"after {cause.name}"] = again
    jobs["interrupted in a loop"] = bounded(assemble(INTERRUPTED), random_images(DIRECTED, 3), reset=False)
    jobs["after an open loop"] = again
    pairs = check(DIRECTED, jobs)
    assert pairs["fresh"].report.status == "stopped"
    cycles = {pair.got.cycles for name, pair in pairs.items() if name == "fresh" or name.startswith("after")}
    assert max(cycles) - min(cycles) <= 64, cycles


def test_memories_stay_from_one_program_to_the_next() -> None:
    """Started five times on what it left itself; a start resets the registers and keeps the memories."""
    words = assemble(
        """
        S_LD_INT gp1, gp0, 3
        S_ADDI_INT gp1, gp1, 5
        S_ST_INT gp1, gp0, 3
        S_ADDI_INT gp2, gp2, 16
        V_ADD_VV gp2, gp2, gp0
        S_LD_FP f1, gp0, 1
        V_RED_SUM f1, gp2
        S_ST_FP f1, gp0, 1
        M_MM 0, gp0, gp2
        M_MM_WO gp0, gp0, 48
        H_STORE_V gp0, gp0, a0, 0, 0
        H_PREFETCH_M gp0, gp0, a0, 0, 0
        """
    )
    images = random_images(DIRECTED, 8)
    jobs = {"1": bounded(words, images)} | {str(n): bounded(words, None, reset=n == 4) for n in range(2, 6)}
    check(DIRECTED, jobs)


def test_resume_behind_a_break() -> None:
    """C_BREAK inside a loop, resumed at pc+1 until the program ends: nothing is lost, the count goes on."""
    words = assemble(INTERRUPTED)
    at = words.index(0x34)
    jobs = {"start": bounded(words, random_images(DIRECTED, 3))}
    for number in range(3):
        jobs[f"resume {number}"] = bounded(words, None, reset=False, resume_pc=at + 1)
    jobs["resume behind the end"] = bounded(words, None, reset=False, resume_pc=len(words) + 3)
    pairs = check(DIRECTED, jobs)
    ends = [(pair.report.pc, pair.report.instructions) for pair in pairs.values()]
    assert [pc for pc, _ in ends] == [at, at, at, len(words), len(words) + 3]
    assert [count for _, count in ends[:4]] == sorted({count for _, count in ends[:4]})
    assert ends[4][1] == ends[3][1]


def test_resume_behind_a_trap() -> None:
    """A host may step over a culprit; the culprit itself never had an effect."""
    words = assemble("S_ADDI_INT gp1, gp0, 40\nV_EXP_V gp0, gp1\nS_ADDI_INT gp1, gp1, 8\nV_EXP_V gp0, gp1\n")
    jobs = {
        "trap": bounded(words, random_images(DIRECTED, 4)),
        "resume": bounded(words, None, reset=False, resume_pc=2),
    }
    pairs = check(DIRECTED, jobs)
    assert [pair.report.cause for pair in pairs.values()] == ["VRAM_MISALIGNED", None]


def test_watchdog() -> None:
    """An endless program stops soon after its cycles are over, names its pc, and the next program runs."""
    words = assemble(FOREVER)
    finite = generate(DIRECTED, 5, 250, trap_probability=0, wild_probability=0)
    images = random_images(DIRECTED, 6)
    jobs = [
        bounded(words, images, watchdog=3000),
        bounded(words, images, watchdog=1, reset=False),
        bounded(finite.words, finite.images, finite.limit, watchdog=1_000_000, reset=False),
        bounded(finite.words, finite.images, finite.limit, reset=False),
    ]
    results = run(DIRECTED, jobs).jobs
    for result, cycles in zip(results[:2], (3000, 1), strict=True):
        assert (result.status, result.cause) == ("trap", "WATCHDOG")
        assert cycles <= result.cycles < cycles + 100
        assert 0 <= result.pc < len(words)
    assert results[0].instructions > 1000 and results[0].pc >= 2
    assert [result.status for result in results[2:]] == ["stopped"] * 2
    assert not memory_differences(results[2].images, results[3].images)
    assert results[2].registers == results[3].registers
