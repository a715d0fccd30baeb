"""Bus errors: the transfer is named, what depends on it has no effect, and the machine goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.machine.reference import Machine
from tb.bench.harness import Job, run
from tb.fuzz.random_programs import generate
from tb.system import equivalence
from tb.system.equivalence import DIRECTED, bounded

#: a0 = 0; elements of a transfer at gp offset, its scales 32768 bytes higher.
SETUP = """
S_LUI_INT gp1, 8
C_SET_SCALE_REG gp1
S_ADDI_INT gp1, gp0, 1024
S_ADDI_INT gp2, gp0, 2048
S_ADDI_INT gp3, gp0, 128
S_ADDI_INT gp4, gp0, 512
S_ADDI_INT gp5, gp0, 640
V_ADD_VV gp5, gp4, gp4
V_RED_SUM f1, gp5
S_EXP_FP f2, f1
M_MM 0, gp4, gp4
M_MM_WO gp5, gp0, 16
"""
SCALES = 32768


@dataclass(frozen=True)
class Scenario:
    """One failing transfer.

    Attributes:
        transfer: the culprit.
        behind: instructions that all depend on it, directly or through others.
        error: HBM bytes that answer with an error.
        touched: memories that the culprit itself may have changed in part.
    """

    transfer: str
    behind: str
    error: tuple[int, int]
    touched: tuple[str, ...] = ()


READ_ROWS = """
V_EXP_V gp5, gp3
V_RED_MAX f1, gp5
S_ADD_FP f3, f1, f1
S_ST_FP f3, gp0, 7
S_LD_FP f4, gp0, 7
V_MUL_VF gp4, gp4, f4
M_MM 0, gp0, gp4
M_MM_WO gp5, gp0, 32
H_STORE_V gp5, gp2, a0, 0, 0
"""
READ_TILE = """
M_TMM 0, gp4, gp0
M_MM_WO gp5, gp0, 32
V_EXP_V gp4, gp5
V_RED_SUM f5, gp4
S_MUL_FP f6, f5, f5
S_ST_FP f6, gp0, 3
S_MAP_V_FP gp4, gp0, 0
"""
READ_BACK = """
H_PREFETCH_V gp3, gp1, a0, 0, 0
V_EXP_V gp5, gp3
V_RED_MAX f1, gp5
S_ST_FP f1, gp0, 7
"""

SCENARIOS = {
    "elements of rows": Scenario("H_PREFETCH_V gp3, gp1, a0, 0, 0", READ_ROWS, (1024, 1025)),
    "scales of rows": Scenario("H_PREFETCH_V gp3, gp1, a0, 0, 0", READ_ROWS, (SCALES + 128, SCALES + 136)),
    "elements of a tile": Scenario("H_PREFETCH_M gp0, gp1, a0, 0, 0", READ_TILE, (1024, 1280)),
    "last beat of a tile": Scenario(
        "H_PREFETCH_M gp0, gp1, a0, 0, 0", READ_TILE, (1279, 1280), touched=("msram",)
    ),
    "scales of a tile": Scenario(
        "H_PREFETCH_M gp0, gp1, a0, 0, 0", READ_TILE, (SCALES + 128, SCALES + 160)
    ),
    "elements of a store": Scenario(
        "H_STORE_V gp4, gp1, a0, 0, 0", READ_BACK, (1024, 1088), touched=("hbm",)
    ),
    "scales of a store": Scenario(
        "H_STORE_V gp4, gp1, a0, 0, 0", READ_BACK, (SCALES + 128, SCALES + 129), touched=("hbm",)
    ),
    "more dependents than any queue holds": Scenario(
        "H_PREFETCH_V gp3, gp1, a0, 0, 0",
        "V_ADD_VV gp5, gp5, gp3\n" * 12 + "V_RED_SUM f1, gp5\n" + "S_ADD_FP f2, f2, f1\n" * 12,
        (1024, 1088),
    ),
    "matrix queue full of dependents": Scenario(
        "H_PREFETCH_M gp0, gp1, a0, 0, 0", "M_MM 0, gp0, gp4\nM_MM_WO gp5, gp0, 0\n" * 40, (1024, 1280)
    ),
    "transfers behind it": Scenario(
        "H_PREFETCH_V gp3, gp1, a0, 0, 0",
        "H_STORE_V gp3, gp2, a0, 0, 0\nH_PREFETCH_V gp5, gp2, a0, 0, 0\nV_EXP_V gp4, gp5\n" * 3,
        (1024, 1088),
    ),
}  # fmt: skip


def program(scenario: Scenario) -> tuple[list[int], int]:
    """The words of a scenario and the culprit's pc."""
    front = assemble(SETUP)
    return front + assemble(scenario.transfer + "\n" + scenario.behind), len(front)


@pytest.mark.parametrize("latency", [1, 150])
def test_a_failed_transfer(latency: int) -> None:
    """HBM_ERROR at the culprit's pc; memories and registers as if the program had ended before it.

    Behind the error of one scenario runs a random program that must not notice it.
    """
    images = equivalence.random_images(DIRECTED, 11)
    follower = generate(DIRECTED, 9, 150, trap_probability=0, wild_probability=0)
    jobs: list[Job] = []
    for scenario in SCENARIOS.values():
        words, _ = program(scenario)
        jobs.append(
            bounded(
                words,
                images,
                latency=latency,
                error_range=scenario.error,
                reset=not jobs,
                jitter=40,
            )
        )
        jobs.append(bounded(follower.words, follower.images, follower.limit, latency=latency, reset=False))
    results = run(DIRECTED, jobs).jobs
    machine = Machine(DIRECTED, follower.images.copy(), follower.limit)
    follower_report = machine.run(follower.words)
    failures = []
    for (name, scenario), result, after in zip(SCENARIOS.items(), results[::2], results[1::2], strict=True):
        words, culprit = program(scenario)
        before = Machine(DIRECTED, images.copy())
        report = before.run(words[:culprit])
        end = (result.status, result.cause, result.pc)
        lines = [] if end == ("trap", "HBM_ERROR", culprit) else [f"ended with {end}, culprit at {culprit}"]
        lines += [
            line
            for line in equivalence.memory_differences(result.images, before.images)
            if not line.startswith(scenario.touched or ("-",))
        ]
        lines += equivalence.register_differences(result.registers, report.registers)
        differences = equivalence.memory_differences(after.images, machine.images)
        lines += [f"the next program: {line}" for line in differences]
        lines += equivalence.register_differences(after.registers, follower_report.registers)
        lines += [f"{count} protocol violations" for count in [result.protocol_errors] if count]
        failures += [f"{name}: {line}" for line in lines]
    assert not failures, "\n".join(failures)


def test_independent_work_behind_a_window_of_dependents() -> None:
    """Float instructions that nothing keeps but the waiting ones in front of them do not keep the stop."""
    behind = (
        "V_RED_SUM f1, gp3\n" + "S_ADD_FP f2, f2, f1\n" * 4 + "S_ADD_FP f7, f4, f4\nS_ADD_FP f6, f7, f4\n"
    )
    front = assemble(SETUP)
    words = [*front, *assemble("H_PREFETCH_V gp3, gp1, a0, 0, 0\n" + behind)]
    images = equivalence.random_images(DIRECTED, 17)
    jobs = [
        bounded(words, images, latency=latency, error_range=(1024, 1088), reset=latency == 1)
        for latency in (1, 30, 31, 32, 33, 90, 200)
    ]
    before = Machine(DIRECTED, images.copy())
    report = before.run(front)
    for result in run(DIRECTED, jobs).jobs:
        assert (result.status, result.cause, result.pc) == ("trap", "HBM_ERROR", len(front))
        assert not equivalence.memory_differences(result.images, before.images)
        assert result.registers.f[:6] == report.registers.f[:6]


def test_independent_work_in_front_of_the_error_is_finished() -> None:
    """Everything older than the culprit completes, also what is still waiting when the error arrives."""
    text = SETUP + "H_PREFETCH_M gp0, gp2, a0, 0, 0\n" + "M_MM 0, gp0, gp4\nM_MM_WO gp5, gp0, 0\n" * 8
    front = assemble(text)
    words = [*front, *assemble("H_PREFETCH_V gp3, gp1, a0, 0, 0\nV_EXP_V gp4, gp3")]
    images = equivalence.random_images(DIRECTED, 12)
    jobs = [bounded(words, images, latency=latency, error_range=(1024, 1088)) for latency in (1, 60, 200)]
    before = Machine(DIRECTED, images.copy())
    report = before.run(front)
    for result in run(DIRECTED, jobs).jobs:
        assert (result.cause, result.pc) == ("HBM_ERROR", len(front))
        assert not equivalence.memory_differences(result.images, before.images)
        assert not equivalence.register_differences(result.registers, report.registers)


def test_the_oldest_of_several_failed_transfers_is_named() -> None:
    text = (
        "H_PREFETCH_V gp3, gp1, a0, 0, 0\nH_PREFETCH_M gp0, gp1, a0, 0, 0\nH_PREFETCH_V gp5, gp1, a0, 0, 0\n"
    )
    front = assemble(SETUP)
    images = equivalence.random_images(DIRECTED, 13)
    jobs = [
        bounded(
            front + assemble(text), images, latency=latency, error_range=(1024, 1280), seed=seed, jitter=90
        )
        for latency in (1, 100)
        for seed in (1, 2, 3)
    ]
    for result in run(DIRECTED, jobs).jobs:
        assert (result.status, result.cause, result.pc) == ("trap", "HBM_ERROR", len(front))


def test_resume_behind_a_bus_error() -> None:
    """The host repairs the memory and resumes at the culprit: the program ends as if nothing had happened."""
    words, culprit = program(SCENARIOS["elements of rows"])
    images = equivalence.random_images(DIRECTED, 14)
    failing = bounded(words, images, error_range=(1024, 1025))
    repaired = replace(failing, images=None, error_range=None, reset=False, resume_pc=culprit)
    first, second = run(DIRECTED, [failing, repaired]).jobs
    assert (first.cause, first.pc) == ("HBM_ERROR", culprit)
    machine = Machine(DIRECTED, images.copy())
    report = machine.run(words)
    assert second.status == "stopped"
    assert not equivalence.memory_differences(second.images, machine.images)
    assert not equivalence.register_differences(second.registers, report.registers)


def test_no_error_where_nothing_is_transferred() -> None:
    """An error range beside the bytes of every transfer changes nothing."""
    words, _ = program(SCENARIOS["elements of rows"])
    images = equivalence.random_images(DIRECTED, 15)
    equivalence.check(DIRECTED, {"beside": bounded(words, images, error_range=(1280, 2048))})
