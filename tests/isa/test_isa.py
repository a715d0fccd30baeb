"""The instruction table against an independent transcription of docs/isa.md, "Encoding"."""

from __future__ import annotations

import pytest

from plena_ref.isa.instructions import (
    BY_OPCODE,
    FIELDS,
    IMM18,
    IMM22,
    INSTRUCTIONS,
    OPCODE,
    Format,
    TrapCause,
    Unit,
    decode_trap,
)
from tests.isa.encodings import ALLOWED, EXPECTED_USED, FREE, IGNORED, NEVER_LEGAL, OPCODES

CAUSES = """
ILLEGAL_OPCODE ILLEGAL_OPERAND VRAM_MISALIGNED VRAM_RANGE MSRAM_MISALIGNED MSRAM_RANGE FP_MEM_RANGE
INT_MEM_RANGE HBM_MISALIGNED HBM_ERROR LOOP_COUNT LOOP_OVERFLOW LOOP_MISMATCH FETCH_ERROR WATCHDOG
""".split()


def test_opcodes_are_the_published_ones() -> None:
    for name in INSTRUCTIONS.keys() ^ OPCODES.keys():
        pytest.fail(f"{name} is not both in the table and in tests/isa/encodings.py")
    assert {name: entry.opcode for name, entry in INSTRUCTIONS.items()} == OPCODES
    assert all(BY_OPCODE[entry.opcode] is entry for entry in INSTRUCTIONS.values())
    assert sorted(BY_OPCODE) == sorted(OPCODES.values())


@pytest.mark.parametrize("name", sorted(EXPECTED_USED))
def test_must_be_zero_mask(name: str) -> None:
    used = 0x3F
    for letter in EXPECTED_USED[name]:
        used |= ALLOWED[letter]
    assert INSTRUCTIONS[name].zero_mask == 0xFFFFFFFF & ~used, f"{INSTRUCTIONS[name].zero_mask:08X}"


def test_every_legal_instruction_has_a_mask_expectation() -> None:
    assert set(EXPECTED_USED) | set(NEVER_LEGAL) == set(INSTRUCTIONS)


def test_legal_flags() -> None:
    assert [name for name, entry in INSTRUCTIONS.items() if not entry.legal] == NEVER_LEGAL


def test_ignored_fields() -> None:
    ignoring = {name: entry.ignored_mask for name, entry in INSTRUCTIONS.items() if entry.ignored}
    assert ignoring == IGNORED


def test_trap_codes() -> None:
    assert [(cause.name, cause.value) for cause in TrapCause] == [
        (name, code) for code, name in enumerate(CAUSES, start=1)
    ]


@pytest.mark.parametrize("name", sorted(INSTRUCTIONS))
def test_operands_never_share_bits_and_optional_ones_trail(name: str) -> None:
    entry = INSTRUCTIONS[name]
    seen = OPCODE.mask
    for operand in entry.encoded:
        assert not seen & operand.field.mask, operand.name
        seen |= operand.field.mask
    optional = [operand.optional for operand in entry.operands]
    assert optional == sorted(optional)
    formats = {IMM18: Format.I18, IMM22: Format.I22}
    immediates = [formats[operand.field] for operand in entry.encoded if operand.field in formats]
    assert immediates == ([] if entry.format is Format.R else [entry.format])


def test_units_follow_the_mnemonic_family() -> None:
    by_prefix = {"M": Unit.M, "V": Unit.V, "H": Unit.H, "C": Unit.CTRL}
    for name, entry in INSTRUCTIONS.items():
        if name == "S_MAP_V_FP":
            expected = Unit.V
        elif name.startswith("S_"):
            expected = Unit.INT if name.endswith("_INT") else Unit.F
        else:
            expected = by_prefix[name[0]]
        assert entry.unit is expected, name


def test_fields_are_where_the_encoding_says() -> None:
    assert {field.name: (field.lsb + field.width - 1, field.lsb) for field in FIELDS} == {
        "opcode": (5, 0),
        "rd": (9, 6),
        "rs1": (13, 10),
        "rs2": (17, 14),
        "rs3": (21, 18),
        "funct1": (25, 22),
        "imm18": (31, 14),
        "imm22": (31, 10),
    }


@pytest.mark.parametrize("code", range(64))
def test_decode_trap_on_every_opcode(code: int) -> None:
    if code in FREE:
        assert decode_trap(code) is TrapCause.ILLEGAL_OPCODE
        assert decode_trap(0xFFFFFFC0 | code) is TrapCause.ILLEGAL_OPCODE, "the lowest code is reported"
        return
    assert decode_trap(code) is None
    (name,) = (name for name, opcode in OPCODES.items() if opcode == code)
    for bit in range(6, 32):
        allowed = any(ALLOWED[letter] >> bit & 1 for letter in EXPECTED_USED[name])
        expected = None if allowed else TrapCause.ILLEGAL_OPERAND
        assert decode_trap(code | 1 << bit) is expected, f"{name} bit {bit}"


def test_encode_refuses_wrong_values() -> None:
    entry = INSTRUCTIONS["S_LD_FP"]
    with pytest.raises(ValueError, match="takes 3 encoded operands, got 2"):
        entry.encode((1, 2))
    with pytest.raises(ValueError, match=r"fD = 8 is outside 0\.\.7"):
        entry.encode((8, 0, 0))
    with pytest.raises(ValueError, match=r"imm18 = -1 is outside"):
        entry.encode((1, 0, -1))
    assert entry.decode(entry.encode((7, 15, 0x3FFFF))) == (7, 15, 0x3FFFF)
