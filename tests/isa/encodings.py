"""The encodings of docs/isa.md written out by hand: what the table of the package is tested against."""

from __future__ import annotations

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

#: Instructions that this tree adds to the published ones: opcode, bits that may be set, those ignored.
ADDED: dict[str, tuple[int, str, str]] = {
    # docs/extending/instruction.md
}

#: Opcodes by mnemonic.
OPCODES = {name: code for code, name in enumerate(OPCODE_ORDER, start=1)}
OPCODES |= {name: code for name, (code, _, _) in ADDED.items()}

#: Letters of the bits that may be set, by mnemonic.
EXPECTED_USED = {name: key for key, names in USED_BITS.items() for name in names.split()}
EXPECTED_USED |= {name: key for name, (_, key, _) in ADDED.items()}

#: Bits that may be set and change nothing, by mnemonic.
IGNORED = dict.fromkeys(("V_EXP_V", "V_RECI_V", "V_RED_SUM", "V_RED_MAX"), 0xF << 14)
IGNORED |= {name: ALLOWED[letter] for name, (_, _, letter) in ADDED.items() if letter}

NEVER_LEGAL = ["V_PS_V", "C_HADAMARD_TRANSFORM"]

#: Opcodes that are no instruction.
FREE = sorted(set(range(64)) - {code for name, code in OPCODES.items() if name not in NEVER_LEGAL})
