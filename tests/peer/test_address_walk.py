"""The walk over a program's addresses, and the stages of its text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from tb.fuzz.random_programs import generate
from tb.peer import address_walk, stages

HW = Hardware(16, 4, 8, vram_elems=4096, msram_tiles=4, fp_words=256, int_words=64, hbm_bytes=1 << 14)
NOTHING = np.zeros(0, np.uint32)


@pytest.mark.parametrize("seed", range(8))
def test_what_a_program_writes_lies_within_its_extents(seed: int) -> None:
    program = generate(HW, seed, 80, trap_probability=0, wild_probability=0)
    found = address_walk.walk(HW, program.words, program.images.intmem)
    machine = Machine(HW, program.images.copy(), program.limit)
    machine.run(program.words)
    for memory, end in (
        ("vram", found.vram),
        ("msram", found.msram),
        ("fpmem", found.fp_words),
        ("intmem", found.int_words),
    ):
        written = np.flatnonzero(getattr(machine.written, memory))
        assert not written.size or written[-1] < end, memory
        assert end <= getattr(machine.images, memory).size or not found.complete


def extents(text: str, intmem: np.ndarray = NOTHING) -> address_walk.Extents:
    return address_walk.walk(HW, assemble(text), intmem)


def test_loops_strides_and_immediates_count() -> None:
    text = """
        S_LUI_INT gp1, 1
        C_LOOP_START gp2, 10
        C_LOOP_START gp3, 2
        V_ADD_VF gp1, gp1, f0, 0
        S_ADDI_INT gp1, gp1, 16
        C_LOOP_END gp3
        C_LOOP_END gp2
        S_ADDI_INT gp4, gp0, 9
        M_MM_WO gp0, gp4, 32
        S_ST_FP f0, gp4, 77
        S_LD_INT gp5, gp4, 3
        M_MM 0, gp1, gp0
        C_BREAK
        V_ADD_VF gp9, gp9, f0, 0
    """
    found = extents(text)
    assert found.vram == 4096 + 20 * 16 and found.loops == 2 and found.complete
    assert (found.fp_words, found.int_words) == (87, 13)
    assert found.msram == 4096 + 2 * 256
    strided = extents("S_ADDI_INT gp4, gp0, 9\nM_MM_WO gp0, gp4, 32")
    assert strided.vram == (2 + 3 * 9 + 1) * 16


def test_int_mem_is_followed_and_what_topk_leaves_is_not_known() -> None:
    text = "S_LD_INT gp1, gp0, 2\nV_ADD_VF gp1, gp0, f0, 0"
    assert extents(text, np.array([0, 0, 160], np.uint32)).vram == 176
    assert extents(f"V_TOPK gp0, gp0, gp0, 0\n{text}").complete is False
    assert extents(f"V_TOPK gp0, gp0, gp0, 0\n{text.replace('2', '9')}").complete


def test_a_walk_ends() -> None:
    endless = "C_LOOP_START gp1, 2\nS_ADDI_INT gp1, gp1, 1\nV_ADD_VF gp0, gp0, f0, 0\nC_LOOP_END gp1"
    assert not extents(endless).complete


def test_stages_are_comment_lines(tmp_path: Path) -> None:
    path = tmp_path / "p.asm"
    path.write_text(
        "S_ADDI_INT gp1, gp0, 0 ; not a stage\n"
        "; ====================\n;  Softmax, tile 3  ===\n; ----\n\nV_EXP_V gp1, gp1\nlabel:\n"
        "    // next one\n  C_BREAK\n"
    )
    found = stages.read(path)
    assert found.names == [stages.START, "Softmax, tile 3", "next one"] and found.lines == [1, 6, 9]
    assert found.of(1) == "Softmax, tile 3" and found.of(99) == "next one"
