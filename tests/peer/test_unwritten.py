"""``UNWRITTEN=1``: labels are sound for every instruction, and the first culprit is named."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

from plena_ref.isa.assembler import assemble
from plena_ref.isa.machine_code import read_program, write_program
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine
from plena_ref.machine.reference.decoders import DECODERS
from plena_ref.machine.state import MemoryImages, WrittenMaps
from tb.bench import program_command, unwritten
from tb.diagnosis.provenance import CLEAN
from tb.diagnosis.provenance_rules import RULES
from tb.fuzz.random_programs import generate
from tb.peer import build_command, directory
from tests.peer.directories import directory as build_directory

HW = Hardware(16, 4, 8, vram_elems=4096, msram_tiles=4, fp_words=256, int_words=64, hbm_bytes=1 << 14)
#: Memories of which words are left unwritten: numbers. An address that nobody wrote may reach anything.
NUMBERS = ("vram", "msram", "fpmem", "hbm")


def test_every_shape_of_instruction_has_its_rule() -> None:
    assert RULES.keys() == DECODERS.keys()


def _holes(seed: int) -> tuple[WrittenMaps, np.random.Generator]:
    """All words are written but for a few stretches."""
    rng = np.random.default_rng(seed)
    known = WrittenMaps.nothing(HW)
    for name in (*NUMBERS, "intmem"):
        written = getattr(known, name)
        written[:] = True
        for _ in range(20 if name in NUMBERS else 0):
            first = rng.integers(0, written.size)
            written[first : first + rng.integers(1, 40)] = False
    return known, rng


@pytest.mark.parametrize("seed", range(14))
def test_what_is_clean_does_not_depend_on_what_nobody_wrote(seed: int) -> None:
    """Other bits in the unwritten words leave every clean word and register as it is."""
    program = generate(HW, seed, 80, trap_probability=0, wild_probability=0)
    holes, rng = _holes(seed)
    known = copy.deepcopy(holes)
    machine, labels = unwritten.trace(HW, program.words, program.images.copy(), known, program.limit)
    assert labels.addresses == CLEAN
    for nan in (False, True):
        other = program.images.copy()
        for name in NUMBERS:
            words, missing = getattr(other, name), ~getattr(holes, name)
            largest = np.iinfo(words.dtype).max
            words[missing] = largest if nan else rng.integers(0, largest, int(missing.sum()), words.dtype)
        again = Machine(HW, other, program.limit)
        again.run(program.words)
        for name in (*NUMBERS, "intmem"):
            found = labels.labels[name]
            clean = np.flatnonzero((found == CLEAN) & getattr(known, name)[: found.size])
            assert np.array_equal(getattr(machine.images, name)[clean], getattr(other, name)[clean]), name
        for number in range(8):
            assert labels.f[number] != CLEAN or machine.f[number] == again.f[number]


#: Programs that read VRAM row 1, element 3 of it unwritten, and whether that reaches row 8, element 3 or 5.
REACHES = {
    "V_ADD_VV gp8, gp1, gp2": (True, False),
    "V_RED_SUM f1, gp1\nV_ADD_VF gp8, gp2, f1": (True, True),
    "V_SHFT_V gp8, gp1, gp4": (False, True),
    "C_SET_V_MASK_REG gp4\nV_MUL_VV gp8, gp2, gp1, 1": (False, False),
    "C_SET_V_MASK_REG gp5\nV_MUL_VV gp8, gp2, gp1, 1": (True, False),
    "M_MM 0, gp0, gp1\nM_MM_WO gp8, gp0, 0": (True, False),
    "M_MM 0, gp0, gp1\nM_MM_WO gp8, gp0, 4": (False, True),
    "V_ADD_VV gp8, gp2, gp2": (False, False),
}


@pytest.mark.parametrize("text", REACHES)
def test_elements_are_followed_one_by_one(text: str) -> None:
    setup = "".join(
        f"S_ADDI_INT gp{register}, gp0, {value}\n"
        for register, value in ((1, 16), (2, 32), (4, 2), (5, 1), (8, 128))
    )
    words = assemble(setup + text + "\nC_BREAK")
    known = unwritten.known_words(HW, dict.fromkeys(NUMBERS, None))
    known.vram[19] = False
    for element, reaches in zip((3, 5), REACHES[text], strict=True):
        found = unwritten.first_unwritten_read(
            HW,
            words,
            MemoryImages.zeros(HW),
            copy.deepcopy(known),
            {"vram": np.array([128 + element])},
        )
        assert (found is not None) == reaches
        if found is not None:
            assert (found.memory, found.address) == ("vram", 19) and words[found.pc] == words[
                5 + text.count("C_SET")
            ]


def test_the_earliest_read_is_named_and_an_address_reaches_anything() -> None:
    text = "S_LD_INT gp1, gp0, 7\nS_LD_FP f1, gp0, 3\nS_LD_FP f2, gp0, 2\n"
    text += "S_ADD_FP f1, f1, f2\nS_ST_FP f1, gp0, 9"
    known = unwritten.known_words(HW, {})
    where = {"fpmem": np.array([9])}
    found = unwritten.first_unwritten_read(HW, assemble(text), MemoryImages.zeros(HW), known, where)
    assert found is not None and (found.pc, found.memory, found.address) == (1, "fpmem", 3)
    later = assemble(text.replace("f1, f1, f2", "f1, f0, f2"))
    found = unwritten.first_unwritten_read(
        HW, later, MemoryImages.zeros(HW), unwritten.known_words(HW, {}), where
    )
    assert found is not None and (found.pc, found.address) == (2, 2)
    text += "\nS_ST_FP f0, gp1, 1"
    known = unwritten.known_words(HW, {})
    found = unwritten.first_unwritten_read(HW, assemble(text), MemoryImages.zeros(HW), known, where)
    assert found is not None and (found.pc, found.memory, found.address) == (0, "intmem", 7)


def test_a_good_directory_has_none_and_a_short_image_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = build_directory(tmp_path)
    command = [f"BUILD={folder}", f"OUT={tmp_path / 'out'}", "SIM=reference", "UNWRITTEN=1"]
    assert build_command.main(command) == 0
    assert "unwritten: no word that nobody wrote reaches the result" in capsys.readouterr().out
    path = folder / directory.VRAM
    path.write_bytes(path.read_bytes()[:-64])
    assert build_command.main(command) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "unwritten: VRAM element" in said and "reaches the result; first read at pc " in said
    assert "(stage '" in said
    write_program(folder / directory.PROGRAM, assemble("C_BREAK"))
    assert build_command.main(command) == 1
    assert "of the result: nobody wrote it" in capsys.readouterr().out


def test_a_program_on_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_program(tmp_path / "p.mem", assemble("S_ADDI_INT gp1, gp0, 64\nV_ADD_VV gp1, gp0, gp1"))
    np.zeros(64, "<u2").tofile(tmp_path / "v.bin")
    options = [
        f"PROGRAM={tmp_path / 'p.mem'}",
        f"VRAM={tmp_path / 'v.bin'}",
        f"OUT={tmp_path / 'out'}",
        "UNWRITTEN=1",
    ]
    assert program_command.main([*options, "SIM=reference", "MLEN=16", "BLEN=4"]) == 0
    said = capsys.readouterr().out
    assert (
        "unwritten: VRAM element 64 (row 4, column 0), which nobody wrote, reaches what the program" in said
    )
    assert "first read at pc 1: V_ADD_VV gp1, gp0, gp1, 0" in said
    assert program_command.main([*options, "SIM=verilator"]) == 2
    assert "UNWRITTEN= is for SIM=reference" in capsys.readouterr().err
    assert len(read_program(tmp_path / "p.mem")) == 2


#: Per-head products, the hole they read, and elements (head, column) that it reaches or not.
HEADS = [
    ("M_BMV", "vram", 19, [(1, 0), (1, 15)], [(0, 0), (0, 15)]),
    ("M_BTMV", "vram", 19, [(0, 0), (0, 15)], [(1, 0), (1, 15)]),
    ("M_BMV", "msram", 2 * 16 + 5, [(0, 5), (1, 5)], [(0, 2), (1, 6)]),
    ("M_BTMV", "msram", 5 * 16 + 2, [(0, 5), (1, 5)], [(0, 2), (1, 6)]),
    ("M_BMV", "msram", 9 * 16 + 5, [], [(0, 5), (1, 5)]),
]


@pytest.mark.parametrize(("name", "memory", "hole", "reached", "clean"), HEADS)
def test_lanes_go_to_their_heads(
    name: str, memory: str, hole: int, reached: list[tuple[int, int]], clean: list[tuple[int, int]]
) -> None:
    text = f"S_ADDI_INT gp1, gp0, 16\nS_ADDI_INT gp8, gp0, 128\n{name} 0, gp0, gp1\nM_BMV_WO gp8, 0\n"
    text += "S_ADDI_INT gp8, gp0, 256\nM_BMV_WO gp8, 0"
    known = unwritten.known_words(HW, dict.fromkeys(NUMBERS, None))
    getattr(known, memory)[hole] = False
    _, labels = unwritten.trace(HW, assemble(text), MemoryImages.zeros(HW), known)
    rows = labels.labels["vram"][128:160].reshape(2, 16)
    assert all(rows[place] == 0 for place in reached) and all(rows[place] == CLEAN for place in clean)
    # The write-out clears its accumulator: a second one has nothing of it.
    assert (labels.labels["vram"][256:288] == CLEAN).all()
