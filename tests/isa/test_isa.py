"""The instruction table against an independent transcription of docs/isa.md sections 1 and 2."""

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

#: All mnemonics in opcode order from 01.
OPCODE_ORDER = """
M_MM M_TMM M_BMM M_BTMM M_BMM_WO M_MM_WO M_MV M_TMV M_BMV M_BTMV M_MV_WO M_BMV_WO
V_ADD_VV V_ADD_VF V_SUB_VV V_SUB_VF V_MUL_VV V_MUL_VF V_EXP_V V_RECI_V V_RED_SUM V_RED_MAX
S_ADD_FP S_SUB_FP S_MAX_FP S_MUL_FP S_EXP_FP S_RECI_FP S_SQRT_FP S_LD_FP S_ST_FP S_MAP_V_FP
S_ADD_INT S_ADDI_INT S_SUB_INT S_MUL_INT S_LUI_INT S_LD_INT S_ST_INT
H_PREFETCH_M H_PREFETCH_V H_STORE_V C_SET_ADDR_REG C_SET_SCALE_REG C_SET_STRIDE_REG C_SET_V_MASK_REG
C_LOOP_START C_LOOP_END V_PS_V V_SHFT_V C_HADAMARD_TRANSFORM C_BREAK V_MAX_VF V_MIN_VF V_TOPK
""".split()

#: Bits that may be set, written out by hand: d, a, b the four-bit rd, rs1, rs2; D, A, B their lower
#: three bits; m the lowest bit of rs3; o the lowest bit of funct1; i imm18; I imm22.
ALLOWED = {
    "d": 0xF << 6,
    "D": 0x7 << 6,
    "a": 0xF << 10,
    "A": 0x7 << 10,
    "b": 0xF << 14,
    "B": 0x7 << 14,
    "m": 1 << 18,
    "o": 1 << 22,
    "i": 0xFFFFC000,
    "I": 0xFFFFFC00,
}
USED_BITS = {
    "ab": "M_MM M_TMM M_MV M_TMV",
    "dab": "M_BMM M_BTMM M_BMV M_BTMV V_SHFT_V S_ADD_INT S_SUB_INT S_MUL_INT",
    "di": "M_BMM_WO M_MV_WO M_BMV_WO",
    "dai": "M_MM_WO S_ADDI_INT S_MAP_V_FP S_LD_INT S_ST_INT",
    "Dai": "S_LD_FP S_ST_FP",
    "dabm": "V_ADD_VV V_SUB_VV V_MUL_VV V_EXP_V V_RECI_V V_TOPK",
    "daBm": "V_ADD_VF V_MUL_VF V_MAX_VF V_MIN_VF",
    "daBmo": "V_SUB_VF H_PREFETCH_M H_PREFETCH_V H_STORE_V",
    "Dabm": "V_RED_SUM V_RED_MAX",
    "DAB": "S_ADD_FP S_SUB_FP S_MAX_FP S_MUL_FP",
    "DA": "S_EXP_FP S_RECI_FP S_SQRT_FP",
    "Dab": "C_SET_ADDR_REG",
    "dI": "S_LUI_INT C_LOOP_START",
    "d": "C_SET_SCALE_REG C_SET_STRIDE_REG C_SET_V_MASK_REG C_LOOP_END",
    "": "C_BREAK",
}
EXPECTED_USED = {name: key for key, names in USED_BITS.items() for name in names.split()}
NEVER_LEGAL = ["V_PS_V", "C_HADAMARD_TRANSFORM"]
CAUSES = """
ILLEGAL_OPCODE ILLEGAL_OPERAND VRAM_MISALIGNED VRAM_RANGE MSRAM_MISALIGNED MSRAM_RANGE FP_MEM_RANGE
INT_MEM_RANGE HBM_MISALIGNED HBM_ERROR LOOP_COUNT LOOP_OVERFLOW LOOP_MISMATCH FETCH_ERROR WATCHDOG
""".split()


def test_opcodes_are_the_published_ones() -> None:
    assert {name: entry.opcode for name, entry in INSTRUCTIONS.items()} == {
        name: code for code, name in enumerate(OPCODE_ORDER, start=1)
    }
    assert all(BY_OPCODE[entry.opcode] is entry for entry in INSTRUCTIONS.values())
    assert sorted(BY_OPCODE) == list(range(0x01, 0x38))


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
    assert ignoring == dict.fromkeys(("V_EXP_V", "V_RECI_V", "V_RED_SUM", "V_RED_MAX"), 0xF << 14)


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
    name = OPCODE_ORDER[code - 1] if 1 <= code <= len(OPCODE_ORDER) else None
    if name is None or name in NEVER_LEGAL:
        assert decode_trap(code) is TrapCause.ILLEGAL_OPCODE
        assert decode_trap(0xFFFFFFC0 | code) is TrapCause.ILLEGAL_OPCODE, "the lowest code is reported"
        return
    assert decode_trap(code) is None
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
