"""Assembler, disassembler and machine-code files: golden words, round trips, and every kind of error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plena_ref.__main__ import main
from plena_ref.isa.assembler import AssemblyError, assemble
from plena_ref.isa.disassembler import disassemble
from plena_ref.isa.instructions import INSTRUCTIONS, Instruction, Kind
from plena_ref.isa.machine_code import MachineCodeError, read_program, write_program
from tests.isa.encodings import FREE

GOLDEN = {
    "M_MM 0,gp2,gp4": 0x00010801,
    "M_TMM 0,gp2,gp4": 0x00010802,
    "M_BTMM 0,gp0,gp3": 0x0000C004,
    "M_MM_WO gp1,gp0,0": 0x00000046,
    "M_MM_WO gp1,gp5,8": 0x00021446,
    "V_ADD_VV gp1,gp2,gp3,1": 0x0004C84D,
    "V_SUB_VF gp1,gp1,f1,1,1": 0x00444450,
    "V_MUL_VF gp1,gp1,f5,1": 0x00054452,
    "V_RED_MAX f6,gp1,0": 0x00000596,
    "V_RED_SUM f4,gp1": 0x00000515,
    "V_SHFT_V gp1,gp2,gp3": 0x0000C872,
    "S_LD_FP f5,gp0,1": 0x0000415E,
    "S_MAX_FP f1,f6,f1": 0x00005859,
    "S_EXP_FP f2,f2,0": 0x0000089B,
    "S_ADDI_INT gp1,gp0,262143": 0xFFFFC062,
    "S_LUI_INT gp1,1024": 0x00100065,
    "S_MAP_V_FP gp1,gp2,0": 0x00000860,
    "H_PREFETCH_M gp2,gp3,a1,1,0": 0x00044CA8,
    "H_PREFETCH_V gp2,gp3,a1,1,1": 0x00444CA9,
    "H_STORE_V gp2,gp3,a1,1,0": 0x00044CAA,
    "C_SET_ADDR_REG a1,gp0,gp1": 0x0000406B,
    "C_SET_SCALE_REG gp4": 0x0000012C,
    "C_LOOP_START gp4,8": 0x0000212F,
    "C_LOOP_END gp4": 0x00000130,
    "C_BREAK": 0x00000034,
}

#: Further words, encoded by hand from the field positions: the forms the golden words leave out.
BY_HAND = {
    "M_BMM gp3, gp1, gp2": 3 | 3 << 6 | 1 << 10 | 2 << 14,
    "M_BMV 0, gp1, gp2": 9 | 1 << 10 | 2 << 14,
    "M_BMM_WO gp7, 5": 5 | 7 << 6 | 5 << 14,
    "V_EXP_V gp1, gp2": 0x13 | 1 << 6 | 2 << 10,
    "V_EXP_V gp1, gp2, 1": 0x13 | 1 << 6 | 2 << 10 | 1 << 18,
    "V_RED_MAX f6, gp1, 1, 0": 0x16 | 6 << 6 | 1 << 10 | 1 << 18,
    "V_TOPK gp1, gp2, gp3, 1": 0x37 | 1 << 6 | 2 << 10 | 3 << 14 | 1 << 18,
    "S_ST_FP f7, gp15, 262143": 0x1F | 7 << 6 | 15 << 10 | 262143 << 14,
    "S_LUI_INT gp15, 4194303": 0x25 | 15 << 6 | 4194303 << 10,
    "H_PREFETCH_M gp2, gp3, a7, 0, 1, 0": 0x28 | 2 << 6 | 3 << 10 | 7 << 14 | 1 << 22,
    "H_PREFETCH_V gp2, gp3, a7, 0, 1, gp9": 0x29 | 2 << 6 | 3 << 10 | 7 << 14 | 1 << 22,
    "S_EXP_FP f2, f3": 0x1B | 2 << 6 | 3 << 10,
    ".word 0xDEADBEEF": 0xDEADBEEF,
    ".word 52": 52,
}

#: Prefix that each kind of operand carries in canonical text.
PREFIX = {Kind.GP: "gp", Kind.F: "f", Kind.A: "a", Kind.IMM: "", Kind.FLAG: ""}
LEGAL = [entry for entry in INSTRUCTIONS.values() if entry.legal]


def canonical_text(entry: Instruction, values: tuple[int, ...]) -> str:
    """Assembly text of an instruction, made here without the disassembler."""
    rest = list(values)
    texts = []
    for operand in entry.operands:
        if operand.kind is Kind.ZERO and not operand.optional:
            texts.append("0")
        elif operand.kind is Kind.GP_OR_ZERO:
            value = rest.pop(0)
            texts.append(f"gp{value}" if value else "0")
        elif operand.field is not None:
            texts.append(f"{PREFIX[operand.kind]}{rest.pop(0)}")
    return f"{entry.mnemonic} {', '.join(texts)}".strip()


@st.composite
def instructions(draw: st.DrawFn) -> tuple[Instruction, tuple[int, ...]]:
    """Any instruction of the ISA with any legal value in each encoded operand."""
    entry = draw(st.sampled_from(LEGAL))
    return entry, tuple(draw(st.integers(0, operand.limit - 1)) for operand in entry.encoded)


@pytest.mark.parametrize(("text", "word"), [*GOLDEN.items(), *BY_HAND.items()])
def test_golden_words(text: str, word: int) -> None:
    assert [f"{got:08X}" for got in assemble(text)] == [f"{word:08X}"]
    assert assemble(disassemble(word)) == [word]


@given(instructions())
@settings(max_examples=600, deadline=None)
def test_text_to_word_to_text(drawn: tuple[Instruction, tuple[int, ...]]) -> None:
    entry, values = drawn
    text = canonical_text(entry, values)
    (word,) = assemble(text)
    assert word & 0x3F == entry.opcode
    assert not word & entry.zero_mask
    assert entry.decode(word) == values
    assert disassemble(word) == text


@pytest.mark.parametrize("entry", LEGAL, ids=lambda entry: entry.mnemonic)
def test_every_instruction_at_every_operand_extreme(entry: Instruction) -> None:
    for chosen in range(len(entry.encoded) + 1):
        values = tuple(o.limit - 1 if n == chosen else 0 for n, o in enumerate(entry.encoded))
        (word,) = assemble(canonical_text(entry, values))
        expected = entry.opcode
        for operand, value in zip(entry.encoded, values, strict=True):
            expected |= value << operand.field.lsb
        assert word == expected
        assert disassemble(word) == canonical_text(entry, values)


@given(st.integers(0, 0xFFFFFFFF))
@settings(max_examples=2000, deadline=None)
def test_any_word_survives_text(word: int) -> None:
    assert assemble(disassemble(word)) == [word]


@given(st.sampled_from(range(64)), st.integers(6, 31), st.integers(6, 31))
@settings(max_examples=1000, deadline=None)
def test_sparse_words_survive_text(code: int, first: int, second: int) -> None:
    word = code | 1 << first | 1 << second
    assert assemble(disassemble(word)) == [word]


@pytest.mark.parametrize("word", [*FREE, 0x04000034, 0x217])
def test_illegal_words_disassemble_to_data(word: int) -> None:
    assert disassemble(word) == f".word 0x{word:08X}"


def test_ignored_field_is_shown_as_data_with_its_meaning() -> None:
    word = assemble("V_EXP_V gp1, gp2, 1")[0] | 3 << 14
    assert disassemble(word) == f".word 0x{word:08X} ; V_EXP_V gp1, gp2, 1 (ignored fields are not 0)"


@pytest.mark.parametrize("word", [-1, 1 << 32])
def test_disassembler_refuses_what_is_no_word(word: int) -> None:
    with pytest.raises(ValueError, match="not a 32-bit word"):
        disassemble(word)


def test_comments_blank_lines_and_spacing() -> None:
    text = "; head\n\n  C_BREAK // stop\n\tS_LUI_INT\tgp1 ,\t1024;x ; y // z\r\n// tail\nC_BREAK;"
    assert assemble(text) == [0x34, 0x00100065, 0x34]


ERRORS = [
    ("S_ADDFP f1, f2, f3", r"mnemonic 'S_ADDFP': unknown, did you mean S_ADD_FP\?"),
    ("frobnicate", r"mnemonic 'frobnicate': unknown"),
    ("c_break", r"mnemonic 'c_break': unknown"),
    ("V_PS_V gp1, gp2, gp3", r"mnemonic 'V_PS_V': has no defined semantics"),
    ("C_HADAMARD_TRANSFORM", r"has no defined semantics"),
    ("S_ADD_INT gp1, gp16, gp2", r"operand 2 'gp16' \(gpA\): register out of range, must be gp0\.\.gp15"),
    ("S_ADD_FP f8, f1, f2", r"operand 1 'f8' \(fD\): register out of range, must be f0\.\.f7"),
    ("C_SET_ADDR_REG a8, gp1, gp2", r"operand 1 'a8' \(aD\): register out of range, must be a0\.\.a7"),
    ("S_ADD_INT gp1, f1, gp2", r"operand 2 'f1' \(gpA\): expected an integer register"),
    ("S_ADD_FP f1, gp1, f2", r"operand 2 'gp1' \(fA\): expected a float register"),
    ("H_STORE_V gp1, gp2, gp3, 0, 0", r"operand 3 'gp3' \(aB\): expected an HBM address register"),
    ("S_ADD_INT gp1, 2, gp2", r"operand 2 '2' \(gpA\): expected an integer register"),
    ("S_ADDI_INT gp1, gp0, gp2", r"operand 3 'gp2' \(imm18\): expected a decimal literal"),
    ("S_ADDI_INT gp1, gp0, 0x10", r"operand 3 '0x10' \(imm18\): expected a decimal literal"),
    ("S_ADDI_INT gp1, gp0, 262144", r"operand 3 '262144' \(imm18\): does not fit, must lie in 0\.\.262143"),
    ("S_ADDI_INT gp1, gp0, -1", r"operand 3 '-1' \(imm18\): does not fit"),
    ("S_ADDI_INT gp1, gp0, " + "9" * 5000, r"\(imm18\): does not fit"),
    ("S_LUI_INT gp1, 4194304", r"operand 2 '4194304' \(imm22\): does not fit, must lie in 0\.\.4194303"),
    ("V_ADD_VV gp1, gp2, gp3, 2", r"operand 4 '2' \(rmask\): does not fit, must lie in 0\.\.1"),
    ("V_SUB_VF gp1, gp2, f1, 0, 2", r"operand 5 '2' \(rorder\): does not fit"),
    ("H_PREFETCH_M gp1, gp2, a1, 2, 0", r"operand 4 '2' \(rstride\): does not fit"),
    ("H_PREFETCH_M gp1, gp2, a1, 0, 2", r"operand 5 '2' \(precision\): does not fit"),
    ("V_TOPK gp1, gp2, gp3, 2", r"operand 4 '2' \(policy\): does not fit"),
    ("M_MM gp1, gp2, gp3", r"operand 1 'gp1' \(0\): expected the literal 0"),
    ("M_MM 1, gp2, gp3", r"operand 1 '1' \(0\): expected the literal 0"),
    ("M_BMM 1, gp2, gp3", r"operand 1 '1' \(gpX\|0\): expected an integer register .* or the literal 0"),
    ("S_EXP_FP f1, f2, 1", r"operand 3 '1' \(0\): expected the literal 0"),
    ("H_PREFETCH_M gp1, gp2, a1, 0, 0, @", r"operand 6 '@' \(ignored\): expected a register or"),
    ("S_ADD_INT gp1, gp2", r"operands 'gp1, gp2': S_ADD_INT takes 3, got 2 \(form: S_ADD_INT gpD, "),
    ("V_EXP_V gp1, gp2, 0, 0", r"operands 'gp1, gp2, 0, 0': V_EXP_V takes 2 to 3, got 4"),
    ("V_SUB_VF gp1, gp2, f3", r"V_SUB_VF takes 5, got 3"),
    ("H_STORE_V gp1, gp2, a1, 0, 0, 0", r"H_STORE_V takes 5, got 6"),
    ("C_BREAK gp1", r"operands 'gp1': C_BREAK takes 0, got 1"),
    ("C_LOOP_END", r"operands 'none': C_LOOP_END takes 1, got 0"),
    ("S_ADD_INT gp1,, gp2", r"operand 2 '' \(gpA\): expected an integer register"),
    ("S_LUI_INT gp1 5", r"operands 'gp1 5': S_LUI_INT takes 2, got 1"),
    ("S_LUI_INT gp1, #5", r"operand 2 '#5' \(imm22\): expected a decimal literal"),
    (".word", r"operands 'none': \.word takes 1, got 0"),
    (".word 0x1FFFFFFFF", r"operand 1 '0x1FFFFFFFF' \(word\): does not fit in 32 bits"),
    (".word 4294967296", r"operand 1 '4294967296' \(word\): does not fit"),
    (".word gp1", r"operand 1 'gp1' \(word\): expected a decimal literal \(or hexadecimal"),
]


@pytest.mark.parametrize(("line", "pattern"), ERRORS, ids=[line[:40] for line, _ in ERRORS])
def test_errors_name_file_line_and_operand(line: str, pattern: str) -> None:
    with pytest.raises(AssemblyError, match=pattern) as caught:
        assemble(f"C_BREAK\n; comment\n{line} ; trailing\nC_BREAK", "kernel.asm")
    assert str(caught.value).startswith("kernel.asm:3: ")
    assert (caught.value.filename, caught.value.line) == ("kernel.asm", 3)


@given(st.text(max_size=40))
@settings(max_examples=500, deadline=None)
def test_arbitrary_text_gives_words_or_an_assembly_error(text: str) -> None:
    try:
        words = assemble(text)
    except AssemblyError:
        return
    assert all(0 <= word < 1 << 32 for word in words)


@given(st.lists(st.integers(0, 0xFFFFFFFF), max_size=20))
@settings(max_examples=50, deadline=None)
def test_machine_code_round_trip(tmp_path_factory: pytest.TempPathFactory, words: list[int]) -> None:
    path = tmp_path_factory.mktemp("program") / "p.mem"
    write_program(path, words)
    assert path.read_text(encoding="utf-8") == "".join(f"0x{word:08X}\n" for word in words)
    assert read_program(path) == words


@pytest.mark.parametrize("line", ["0x", "34", "0x123456789", "C_BREAK", "0x0000003G", "0x34 0x34"])
def test_machine_code_errors_name_the_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "p.mem"
    path.write_text(f"0x00000034\n\n{line}\n", encoding="utf-8")
    with pytest.raises(MachineCodeError, match=r"p\.mem:3: "):
        read_program(path)


def test_writing_refuses_what_is_no_word(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="word 1: 4294967296 does not fit"):
        write_program(tmp_path / "p.mem", [0, 1 << 32])


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, program = tmp_path / "p.asm", tmp_path / "p.mem"
    source.write_text("\n".join(GOLDEN), encoding="utf-8")
    assert main(["assemble", str(source), "-o", str(program)]) == 0
    assert read_program(program) == list(GOLDEN.values())
    assert main(["disassemble", str(program)]) == 0
    assert assemble(capsys.readouterr().out) == list(GOLDEN.values())
    assert main(["isa"]) == 0
    assert "ADD_VV" in capsys.readouterr().out
    source.write_text("C_BREAK\nC_BRAKE\n", encoding="utf-8")
    assert main(["assemble", str(source)]) == 2
    assert "p.asm:2: mnemonic 'C_BRAKE': unknown, did you mean C_BREAK?" in capsys.readouterr().err
    assert main(["disassemble", str(tmp_path / "absent.mem")]) == 2
    assert "absent.mem" in capsys.readouterr().err
