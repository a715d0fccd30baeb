"""Every trap a program can bring about, precise, on the RTL as on the reference machine; and fetch errors."""

from __future__ import annotations

import tomllib
from pathlib import Path

from plena_ref.isa.assembler import assemble
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.reference import Machine
from tb.bench.harness import Job, run
from tb.fuzz.random_programs import PROGRAM_CAUSES, generate
from tb.system import equivalence
from tb.system.equivalence import DIRECTED, bounded

#: Programs after which the trap is due, by name: text and cause.
DIRECTED_TRAPS = {
    name: (entry["text"].strip("\n"), entry["cause"])
    for name, entry in tomllib.loads(Path(__file__).with_name("directed_traps.toml").read_text()).items()
}

#: In front of each trap: work for every unit that is still under way when the culprit is dispatched.
BUSY = """
H_PREFETCH_M gp0, gp0, a0, 0, 0
M_MM 0, gp0, gp0
S_ADDI_INT gp9, gp0, 512
M_MM_WO gp9, gp0, 0
V_ADD_VV gp0, gp9, gp9
V_RED_SUM f1, gp0
S_EXP_FP f2, f1
S_ST_FP f2, gp0, 40
H_STORE_V gp9, gp9, a0, 0, 0
"""
#: Behind it: what must not happen.
AFTER = "S_ADDI_INT gp8, gp0, 99\nS_ST_INT gp8, gp0, 9\nV_EXP_V gp0, gp0\n"


def words_of(text: str) -> list[int]:
    """Assemble; a line '.word 0123ABCD' stands for a word that no assembler accepts."""
    words = []
    for line in text.splitlines():
        marker, _, word = line.partition(".word ")
        words += [int(word, 16)] if word else assemble(marker)
    return words


def test_causes_of_random_programs() -> None:
    jobs: dict[str, Job] = {}
    wanted = {}
    for cause in PROGRAM_CAUSES:
        for seed in range(3):
            program = generate(DIRECTED, 600 + seed, 80, cause=cause)
            name = f"{cause.name} {seed}"
            jobs[name] = bounded(
                program.words, program.images, program.limit, reset=not jobs, latency=20 * seed + 1
            )
            wanted[name] = cause.name
    pairs = equivalence.check(DIRECTED, jobs)
    assert {name: pair.got.cause for name, pair in pairs.items()} == wanted


def test_directed_causes() -> None:
    images = equivalence.random_images(DIRECTED, 2)
    jobs = {
        name: bounded(words_of(BUSY + text + "\n" + AFTER * (name[:3] != "off")), images, reset=index == 0)
        for index, (name, (text, _)) in enumerate(DIRECTED_TRAPS.items())
    }
    pairs = equivalence.check(DIRECTED, jobs)
    assert {name: pair.got.cause for name, pair in pairs.items()} == {
        name: cause for name, (_, cause) in DIRECTED_TRAPS.items()
    }
    causes = {cause for _, cause in DIRECTED_TRAPS.values()}
    assert causes == {cause.name for cause in PROGRAM_CAUSES}


def test_the_limit_is_exact() -> None:
    """A transfer may end at the limit register and not one byte behind it, elements and scales alike."""
    text = """
    S_ADDI_INT gp1, gp0, 64
    C_SET_SCALE_REG gp1
    H_PREFETCH_V gp0, gp0, a0, 0, 0
    V_EXP_V gp0, gp0
    """
    images = equivalence.random_images(DIRECTED, 2)
    jobs = {
        "scales end at 72": bounded(assemble(text), images, limit=72),
        "scales pass 71": bounded(assemble(text), images, limit=71, reset=False),
        "elements pass 63": bounded(assemble(text.replace("64", "0", 1)), images, limit=63, reset=False),
        "elements end at 64": bounded(assemble(text.replace("64", "0", 1)), images, limit=64, reset=False),
    }
    pairs = equivalence.check(DIRECTED, jobs)
    assert [pair.got.cause for pair in pairs.values()] == [None, "HBM_ERROR", "HBM_ERROR", None]


def test_fetch_errors() -> None:
    """A misaligned base; a bus error on a line traps when that line is to execute, and only then."""
    hw = DIRECTED
    images = equivalence.random_images(hw, 2)
    body = "S_ADDI_INT gp1, gp1, 1\nV_ADD_VV gp0, gp0, gp0\nS_ST_INT gp1, gp0, 5\nS_LD_FP f1, gp1, 0\n" * 12
    words = assemble(body)
    early = assemble(body[: body.index("\n", 400) + 1] + "C_BREAK\n") + words
    stop = early.index(0x34)
    assert stop < 32 < len(early)
    line = {number: (hw.hbm_bytes + 64 * number, hw.hbm_bytes + 64 * number + 1) for number in range(4)}
    jobs = [
        bounded(words, images, program_base=hw.hbm_bytes + 4),
        bounded(words, images, error_range=line[0], reset=False),
        bounded(words, images, error_range=line[2], reset=False),
        bounded(early, images, error_range=line[2], reset=False),
        bounded(words, images, error_range=line[3], reset=False),
        bounded(words, images, length=20, error_range=line[2], reset=False),
    ]
    results = run(hw, jobs).jobs
    ends = [(result.cause, result.pc) for result in results]
    fetch = TrapCause.FETCH_ERROR.name
    assert ends == [(fetch, 0), (fetch, 0), (fetch, 32), (None, stop), (None, 48), (None, 20)]
    for job, result in zip(jobs, results, strict=True):
        machine = Machine(hw, images.copy())
        report = machine.run(list(job.words)[: result.pc + (result.cause is None)][: job.length])
        assert not equivalence.memory_differences(result.images, machine.images)
        assert not equivalence.register_differences(result.registers, report.registers)
        assert result.instructions == report.instructions
