"""The random programs: deterministic, legal where they mean to be, and rich enough to be worth running."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine, StopReport
from tb.fuzz.random_programs import PROGRAM_CAUSES, RandomProgram, generate

SHAPES = [
    Hardware(
        mlen=8,
        blen=4,
        hlen=4,
        vram_elems=1024,
        msram_tiles=1,
        fp_words=16,
        int_words=2,
        loop_depth=2,
        hbm_bytes=4096,
    ),
    Hardware(mlen=16, blen=4, vram_elems=4096, msram_tiles=4, vpref=3, vstore=5, mx_block=16, hbm_bytes=8192),
    Hardware(mlen=16, blen=16, hlen=4, vram_elems=4096, msram_tiles=5, vpref=1, vstore=1, hbm_bytes=8192),
    Hardware(mlen=64, blen=16, hlen=16, hbm_bytes=1 << 16),
    Hardware(
        mlen=32,
        blen=8,
        vram_elems=8192,
        msram_tiles=2,
        vpref=5,
        vstore=3,
        mx_block=16,
        hbm_bytes=8192,
        element="plena",
        hbm_bf16="m1,v0",
    ),
]
each_shape = pytest.mark.parametrize("hw", SHAPES, ids=lambda hw: f"{hw.mlen}_{hw.blen}")


def execute(hw: Hardware, program: RandomProgram) -> tuple[Machine, StopReport]:
    """Run `program` on a copy of its images."""
    machine = Machine(hw, program.images.copy(), program.limit)
    return machine, machine.run(program.words, max_instructions=20_000)


def test_the_seed_alone_decides() -> None:
    first, again, other = (generate(SHAPES[0], seed) for seed in (7, 7, 8))
    assert first.words == again.words and (first.limit, first.cause) == (again.limit, again.cause)
    for memory in ("vram", "msram", "fpmem", "intmem", "hbm"):
        assert np.array_equal(getattr(first.images, memory), getattr(again.images, memory))
    assert first.words != other.words


@each_shape
def test_programs_without_a_trap_stop(hw: Hardware) -> None:
    """Valid addresses everywhere, loops that end, and about the length asked for."""
    lengths = []
    for seed in range(25):
        program = generate(hw, seed, length=200, trap_probability=0, wild_probability=0)
        _, report = execute(hw, program)
        assert (report.status, report.cause) == ("stopped", None), (seed, report.cause, report.pc)
        lengths.append(report.instructions)
    assert 100 < np.mean(lengths) < 400


@each_shape
@pytest.mark.parametrize("cause", PROGRAM_CAUSES, ids=lambda cause: cause.name)
def test_every_cause_is_reached(hw: Hardware, cause: TrapCause) -> None:
    for seed in range(12):
        program = generate(hw, seed, length=60, cause=cause)
        _, report = execute(hw, program)
        assert (program.cause, report.cause) == (cause, cause.name), seed


@each_shape
def test_wild_words_never_upset_the_machine(hw: Hardware) -> None:
    causes = Counter()
    for seed in range(40):
        program = generate(hw, seed, length=10, trap_probability=0, wild_probability=1)
        assert program.wild
        causes[execute(hw, program)[1].cause] += 1
    assert len(causes) >= 4


@each_shape
def test_every_instruction_appears_and_results_stay_alive(hw: Hardware) -> None:
    """Over some seeds, all instructions are completed and most of what is written is not infinity or NaN."""
    seen: set[str] = set()
    finite = []
    for seed in range(30):
        program = generate(hw, seed, trap_probability=0, wild_probability=0)
        machine, _ = execute(hw, program)
        seen |= {isa.BY_OPCODE[isa.opcode(word)].mnemonic for word in program.words}
        written = machine.images.vram[machine.written.vram]
        finite.append(float(np.mean(written & 0x7F80 != 0x7F80)))
        assert not machine.written.hbm[program.limit :].any()
    wanted = {e.mnemonic for e in isa.INSTRUCTIONS.values() if e.legal}
    assert seen == wanted - ({"V_TOPK"} if hw.int_words < 4 else set())
    assert np.median(finite) > 0.5


def test_stores_are_defined_and_read_back() -> None:
    """Some program stores bytes and prefetches the same address in the very next transfer."""
    pairs = 0
    for seed in range(40):
        words = generate(SHAPES[1], seed, trap_probability=0, wild_probability=0).words
        transfers = [word for word in words if isa.BY_OPCODE[isa.opcode(word)].mnemonic.startswith("H_")]
        for first, second in pairwise(transfers):
            same_base = isa.RS2.get(first) == isa.RS2.get(second) and isa.RS1.get(first) == isa.RS1.get(
                second
            )
            store = isa.BY_OPCODE[isa.opcode(first)].mnemonic == "H_STORE_V"
            pairs += store and same_base and isa.opcode(first) != isa.opcode(second)
    assert pairs > 10


def test_what_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="no program brings about WATCHDOG by itself"):
        generate(SHAPES[0], 1, cause=TrapCause.WATCHDOG)
    with pytest.raises(ValueError, match="hbm_bytes = 2048 is too small: transfers take 4096 bytes"):
        generate(Hardware(mlen=8, blen=4, vram_elems=1024, hbm_bytes=2048), 1)
