"""Listings with numbers: they assemble to the same words, and can be numbered again after an edit."""

from __future__ import annotations

from plena_ref.isa.assembler import assemble
from plena_ref.isa.listing import instruction_lines, numbered
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import CASES

TEXT = """; a program
S_ADDI_INT gp1, gp0, 4   ; four // of them
    .word 0x00000034
"""


def test_pc_and_word_stand_beside_each_instruction() -> None:
    lines = numbered(TEXT, assemble(TEXT)).splitlines()
    assert lines[0] == "; a program"
    assert lines[1].split(";")[1].split() == ["0", "0x00010062", "|", "four", "//", "of", "them"]
    assert lines[2].startswith("    .word 0x00000034 ") and lines[2].endswith(";    1 0x00000034")
    assert instruction_lines(TEXT) == [1, 2]


def test_a_case_assembles_to_its_words_again() -> None:
    work = build(CASES["mha_ragged"])
    text = numbered(work.listing, work.words)
    assert assemble(text) == work.words and numbered(text, work.words) == text


def test_an_edited_listing_gets_new_numbers() -> None:
    edited = numbered(TEXT, assemble(TEXT)).replace("gp0, 4", "gp0, 5").replace("; a", "C_BREAK\n; a")
    lines = numbered(edited, assemble(edited)).splitlines()
    assert lines[0].endswith(";    0 0x00000034")
    assert lines[2].endswith(";    1 0x00014062 | four // of them")
