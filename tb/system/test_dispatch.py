"""Two-wide dispatch on the whole machine: what pairs leave, and how exactly they stop."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.isa.instructions import TrapCause
from tb.bench.harness import Job, run
from tb.system.equivalence import DIRECTED, bounded, check, random_images
from tb.unit.dispatch_pairs import LINE_WORDS, PAIRS, place

#: Places of the first of a pair: within a line, and the last word of one.
PLACES = (4, LINE_WORDS - 1)

#: Culprits by name: what stands before, the first of the pair, the culprit behind it (a word where no
#: assembler accepts it), and its cause. Most are only wrong with what the first hands on.
CULPRITS = {
    "reserved opcode": ("", "S_ADDI_INT gp7, gp7, 1", 0x3F, "ILLEGAL_OPCODE"),
    "an f register of 8": ("", "S_ADDI_INT gp7, gp7, 1", 0x217, "ILLEGAL_OPERAND"),
    "row": ("", "S_ADDI_INT gp1, gp1, 8", "V_EXP_V gp1, gp2", "VRAM_MISALIGNED"),
    "row past the end": ("", "S_ADDI_INT gp1, gp0, 4096", "V_RED_MAX f1, gp1", "VRAM_RANGE"),
    "write-out past the end": ("", "S_SUB_INT gp8, gp0, gp5", "M_MM_WO gp2, gp8, 0", "VRAM_RANGE"),
    "tile": ("", "S_ADDI_INT gp4, gp4, 2", "M_MM 0, gp4, gp1", "MSRAM_MISALIGNED"),
    "tile past the end": ("", "S_LUI_INT gp4, 1", "H_PREFETCH_M gp4, gp0, a0, 0, 0", "MSRAM_RANGE"),
    "FP_MEM": ("", "S_LUI_INT gp8, 1", "S_ST_FP f1, gp8, 0", "FP_MEM_RANGE"),
    "INT_MEM": ("", "S_LUI_INT gp8, 1", "S_ST_INT gp8, gp8, 0", "INT_MEM_RANGE"),
    "HBM offset": ("", "S_ADDI_INT gp8, gp0, 4", "H_STORE_V gp1, gp8, a0, 0, 0", "HBM_MISALIGNED"),
    "HBM limit": ("", "S_LUI_INT gp8, 16", "H_PREFETCH_V gp1, gp8, a0, 0, 0", "HBM_ERROR"),
    "loop of no turns": ("", "S_ADDI_INT gp7, gp7, 1", "C_LOOP_START gp7, 0", "LOOP_COUNT"),
    "ninth loop": (
        "C_LOOP_START gp8, 2\n" * 8,
        "S_ADD_FP f3, f1, f2",
        "C_LOOP_START gp7, 2",
        "LOOP_OVERFLOW",
    ),
    "end without start": ("", "S_ADD_FP f3, f1, f2", "C_LOOP_END gp7", "LOOP_MISMATCH"),
    "end of the loop that just ended": (
        "C_LOOP_START gp8, 1\n",
        "C_LOOP_END gp8",
        "C_LOOP_END gp8",
        "LOOP_MISMATCH",
    ),
}

#: What must not happen behind a culprit.
AFTER = "S_ADDI_INT gp9, gp0, 99\nS_ST_INT gp9, gp0, 9\nV_EXP_V gp2, gp2\n"

FOUR = [f"S_ADDI_INT gp{number}, gp{number}, 1" for number in (3, 4, 5, 6)]


@pytest.mark.parametrize("latency", [1, 40])
def test_pairs(latency: int) -> None:
    images = random_images(DIRECTED, 21)
    jobs: dict[str, Job] = {}
    for pair in PAIRS:
        for word in PLACES:
            words, _ = place(pair.first, pair.second, word, pair.before, pair.after)
            jobs[f"{pair.name}, word {word}"] = bounded(words, images, latency=latency, reset=not jobs)
    assert len(jobs) == len(PAIRS) * len(PLACES)
    check(DIRECTED, jobs)


def test_a_culprit_behind_an_instruction_that_goes() -> None:
    """The first of the pair has its effect and counts, the culprit is named, and nothing else happens."""
    images = random_images(DIRECTED, 22)
    jobs: dict[str, Job] = {}
    wanted = {}
    for name, (before, first, culprit, cause) in CULPRITS.items():
        for word in PLACES:
            second = culprit if isinstance(culprit, str) else "S_ADD_INT gp0, gp0, gp0"
            words, pc = place(first, second, word, before, AFTER)
            if isinstance(culprit, int):
                words[pc + 1] = culprit
            jobs[f"{name}, word {word}"] = bounded(words, images, reset=not jobs)
            wanted[f"{name}, word {word}"] = (cause, pc + 1, pc + 1)
    pairs = check(DIRECTED, jobs)
    got = {name: (pair.got.cause, pair.got.pc, pair.got.instructions) for name, pair in pairs.items()}
    assert got == wanted
    assert {cause for cause, _, _ in wanted.values()} == {
        cause.name for cause in TrapCause if cause.name not in ("NONE", "FETCH_ERROR", "WATCHDOG")
    }


def test_a_culprit_in_front() -> None:
    """An instruction that traps takes the one behind it down with it."""
    images = random_images(DIRECTED, 23)
    jobs: dict[str, Job] = {}
    for culprit in ("V_EXP_V gp5, gp1", "S_ST_INT gp1, gp6, 0", "C_LOOP_END gp1", "C_LOOP_START gp0, 2"):
        for second in ("S_ADDI_INT gp7, gp7, 1", "S_ST_FP f1, gp0, 9", "C_SET_SCALE_REG gp1"):
            words, pc = place(culprit, second, 4, "", AFTER)
            jobs[f"{culprit} | {second}"] = bounded(words, images, reset=not jobs)
    pairs = check(DIRECTED, jobs)
    assert {pair.got.pc for pair in pairs.values()} == {pc}


def test_the_program_ends_between_two() -> None:
    """The word behind the last is no part of the program, though it lies in the same line."""
    images = random_images(DIRECTED, 24)
    jobs: dict[str, Job] = {}
    for pair in PAIRS:
        words, pc = place(pair.first, pair.second, 4, pair.before, pair.after)
        jobs[pair.name] = bounded(words, images, length=pc + 1, reset=not jobs)
    pairs = check(DIRECTED, jobs)
    assert {pair.got.cause for pair in pairs.values()} == {None, "LOOP_MISMATCH"}


def test_the_watchdog_stops_between_any_two() -> None:
    """Whenever it strikes, each instruction in front of the pc is done, the others are not, and all count."""
    words = assemble("\n".join(["C_LOOP_START gp1, 4194303", *FOUR, "C_LOOP_END gp1"]))
    cycles = range(400, 408)
    jobs = [bounded(words, random_images(DIRECTED, 25) if at == 400 else None, watchdog=at) for at in cycles]
    results = run(DIRECTED, jobs).jobs
    for result in results:
        turns = 4194303 - result.registers.gp[1]
        counts = [turns + (position < result.pc) for position in range(1, 5)]
        assert result.cause == "WATCHDOG" and turns > 50
        assert result.registers.gp[3:7] == counts
        assert result.instructions == 1 + turns + sum(counts)
    assert len({result.pc for result in results}) > 1


def test_the_trace_is_in_program_order() -> None:
    body = [*FOUR, "V_EXP_V gp0, gp0", "S_ADD_FP f1, f1, f2", "C_LOOP_END gp1"]
    words = assemble("\n".join(["C_LOOP_START gp1, 3", *body, "S_ADD_INT gp7, gp3, gp6"]))
    result = run(DIRECTED, [bounded(words, random_images(DIRECTED, 26), trace=True)]).jobs[0]
    pcs = [0, *list(range(1, 1 + len(body))) * 3, len(words) - 1]
    assert result.trace is not None
    np.testing.assert_array_equal(result.trace[:, :2], [(pc, words[pc]) for pc in pcs])


def test_a_bus_error_names_the_second_of_a_pair() -> None:
    words, pc = place("S_ADDI_INT gp8, gp0, 64", "H_PREFETCH_V gp1, gp8, a0, 0, 0", 4, "", AFTER)
    result = run(DIRECTED, [bounded(words, random_images(DIRECTED, 27), error_range=(64, 128))]).jobs[0]
    assert (result.cause, result.pc) == ("HBM_ERROR", pc + 1)
