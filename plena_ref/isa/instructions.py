"""The instruction set as one table: code, shape, operation in its unit and meaning of every instruction.

The assembler, the disassembler, the reference machine, `rtl/plena_pkg.sv`, the random programs and the
tables in `docs/isa.md` are all made from `INSTRUCTIONS`. Behaviour is specified in `docs/isa.md`;
docs/extending/instruction.md says how one is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from plena_ref.isa.encoding import (
    FIELDS,
    FUNCT1,
    IMM18,
    IMM22,
    OPCODE,
    RD,
    RS1,
    RS2,
    RS3,
    WORD_MASK,
    Field,
    Format,
    Kind,
    Operand,
    TrapCause,
    Unit,
)
from plena_ref.isa.operations import OPERATIONS
from plena_ref.isa.shapes import (
    BLOCK_PRODUCT,
    BLOCK_PRODUCT_T,
    BLOCK_WRITE_OUT,
    F2,
    F3,
    F_LOAD,
    F_STORE,
    G3,
    G_IMMEDIATE,
    G_LOAD,
    G_STORE,
    G_UPPER,
    HEAD_PRODUCT,
    HEAD_ROW_PRODUCT,
    HEAD_ROW_WRITE_OUT,
    HEAD_WRITE_OUT,
    LOOP_END,
    LOOP_START,
    MAP,
    NAMED_CTRL,
    NAMED_V,
    PREFETCH_ROWS,
    PREFETCH_TILE,
    REDUCTION,
    ROW_PRODUCT,
    ROW_PRODUCT_T,
    ROW_WRITE_OUT,
    SET_ADDRESS,
    SET_SCALE,
    SET_STRIDE,
    SET_V_MASK,
    SHIFT,
    STOP,
    STORE_ROWS,
    TOPK,
    V1,
    VF,
    VF_REVERSIBLE,
    VV,
    Shape,
)

__all__ = [
    "BY_OPCODE",
    "FIELDS",
    "FUNCT1",
    "IMM18",
    "IMM22",
    "INSTRUCTIONS",
    "OPCODE",
    "RD",
    "RS1",
    "RS2",
    "RS3",
    "WORD_MASK",
    "Field",
    "Format",
    "Instruction",
    "Kind",
    "Operand",
    "TrapCause",
    "Unit",
    "decode_trap",
    "opcode",
]


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        mnemonic: as in the assembly text.
        opcode: bits 5:0 of the word.
        shape: unit, operands, and what is read and written.
        operations: its operation in its unit by name (operations.py): one, or two of which the shape's
            selector chooses; none for the units INT and CTRL.
        meaning: one line.
        legal: False for a code that has a name but no semantics; it always traps.
    """

    mnemonic: str
    opcode: int
    shape: Shape
    operations: tuple[str, ...]
    meaning: str
    legal: bool = True

    @property
    def format(self) -> Format:
        """Which immediate the word has."""
        return self.shape.format

    @property
    def unit(self) -> Unit:
        """The unit that executes it."""
        return self.shape.unit

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The operands in text order."""
        return self.shape.operands

    @property
    def ignored(self) -> tuple[Field, ...]:
        """Fields that may hold anything and change nothing."""
        return self.shape.ignored

    @property
    def encoded(self) -> tuple[Operand, ...]:
        """The operands that have a field in the word, in text order."""
        return tuple(operand for operand in self.operands if operand.field is not None)

    @cached_property
    def zero_mask(self) -> int:
        """Bits of the word that must be 0, else the instruction traps as ILLEGAL_OPERAND."""
        used = OPCODE.mask
        for operand in self.operands:
            used |= operand.mask
        for field in self.ignored:
            used |= field.mask
        return WORD_MASK & ~used

    @property
    def ignored_mask(self) -> int:
        """Bits of the word that the machine does not look at."""
        mask = 0
        for field in self.ignored:
            mask |= field.mask
        return mask

    @property
    def text_form(self) -> str:
        """The assembly form, optional operands in brackets: `V_EXP_V gpD, gpA [, #rmask]`."""
        text = self.mnemonic
        for index, operand in enumerate(self.operands):
            name = f"#{operand.name}" if operand.kind in (Kind.IMM, Kind.FLAG) else operand.name
            comma = "," if index else ""
            text += f" [{comma} {name}" if operand.optional else f"{comma} {name}"
        return text + "]" * sum(operand.optional for operand in self.operands)

    def encode(self, values: Sequence[int]) -> int:
        """The 32-bit word for the encoded operands' `values`, in text order.

        Raises:
            ValueError: wrong number of values, or a value outside its operand's range.
        """
        encoded = self.encoded
        if len(values) != len(encoded):
            raise ValueError(f"{self.mnemonic} takes {len(encoded)} encoded operands, got {len(values)}")
        word = self.opcode
        for operand, value in zip(encoded, values, strict=True):
            if not 0 <= value < operand.limit:
                top = operand.limit - 1
                raise ValueError(f"{self.mnemonic}: {operand.name} = {value} is outside 0..{top}")
            word |= value << operand.place.lsb
        return word

    def decode(self, word: int) -> tuple[int, ...]:
        """The values of the encoded operands in `word`, in text order (not checked for legality)."""
        return tuple(operand.place.get(word) for operand in self.encoded)


_NO_SEMANTICS = "No defined semantics; always traps as ILLEGAL_OPCODE."

# fmt: off
_TABLE: tuple[Instruction, ...] = (
    Instruction("M_MM", 0x01, BLOCK_PRODUCT, ("MM",),
                "Block accumulator += BLEN VRAM rows times BLEN columns of a tile."),
    Instruction("M_TMM", 0x02, BLOCK_PRODUCT_T, ("TMM",),
                "Block accumulator += BLEN VRAM rows times BLEN rows of a tile, transposed."),
    Instruction("M_BMM", 0x03, HEAD_PRODUCT, ("BMM",),
                "Per-head accumulators += MLEN VRAM rows (interleaved lanes) times HLEN rows of a tile."),
    Instruction("M_BTMM", 0x04, HEAD_PRODUCT, ("BTMM",),
                "Per-head accumulators += MLEN VRAM rows (contiguous lanes) times HLEN columns, transposed."),
    Instruction("M_BMM_WO", 0x05, HEAD_WRITE_OUT, ("BMM_WO",),
                "Write the per-head accumulators to LANES*MLEN VRAM rows and clear them."),
    Instruction("M_MM_WO", 0x06, BLOCK_WRITE_OUT, ("MM_WO",),
                "Write the block accumulator to BLEN columns of BLEN VRAM rows and clear it."),
    Instruction("M_MV", 0x07, ROW_PRODUCT, ("MV",),
                "Vector accumulator += one VRAM row times BLEN columns of a tile."),
    Instruction("M_TMV", 0x08, ROW_PRODUCT_T, ("TMV",),
                "Vector accumulator += one VRAM row times BLEN rows of a tile, transposed."),
    Instruction("M_BMV", 0x09, HEAD_ROW_PRODUCT, ("BMV",),
                "Per-head vector accumulators += a VRAM row (interleaved lanes) times HLEN rows of a tile."),
    Instruction("M_BTMV", 0x0A, HEAD_ROW_PRODUCT, ("BTMV",),
                "Per-head vector accumulators += one VRAM row (contiguous lanes), transposed tile."),
    Instruction("M_MV_WO", 0x0B, ROW_WRITE_OUT, ("MV_WO",),
                "Write the vector accumulator to BLEN columns of one VRAM row and clear it."),
    Instruction("M_BMV_WO", 0x0C, HEAD_ROW_WRITE_OUT, ("BMV_WO",),
                "Write the per-head vector accumulators to LANES VRAM rows and clear them."),
    Instruction("V_ADD_VV", 0x0D, VV, ("ADD",), "Row = row A + row B."),
    Instruction("V_ADD_VF", 0x0E, VF, ("ADD",), "Row = row A + f."),
    Instruction("V_SUB_VV", 0x0F, VV, ("SUB",), "Row = row A - row B."),
    Instruction("V_SUB_VF", 0x10, VF_REVERSIBLE, ("SUB", "RSUB"), "Row = row A - f, or f - row A."),
    Instruction("V_MUL_VV", 0x11, VV, ("MUL",), "Row = row A * row B."),
    Instruction("V_MUL_VF", 0x12, VF, ("MUL",), "Row = row A * f."),
    Instruction("V_EXP_V", 0x13, V1, ("EXP",), "Row = exp(row A)."),
    Instruction("V_RECI_V", 0x14, V1, ("RECI",), "Row = 1 / row A."),
    Instruction("V_RED_SUM", 0x15, REDUCTION, ("RED_SUM",), "f = f + sum of the row."),
    Instruction("V_RED_MAX", 0x16, REDUCTION, ("RED_MAX",), "f = max(f, maximum of the row)."),
    Instruction("S_ADD_FP", 0x17, F3, ("ADD",), "f = fA + fB."),
    Instruction("S_SUB_FP", 0x18, F3, ("SUB",), "f = fA - fB."),
    Instruction("S_MAX_FP", 0x19, F3, ("MAX",), "f = max(fA, fB)."),
    Instruction("S_MUL_FP", 0x1A, F3, ("MUL",), "f = fA * fB."),
    Instruction("S_EXP_FP", 0x1B, F2, ("EXP",), "f = exp(fA)."),
    Instruction("S_RECI_FP", 0x1C, F2, ("RECI",), "f = 1 / fA."),
    Instruction("S_SQRT_FP", 0x1D, F2, ("SQRT",), "f = square root of fA."),
    Instruction("S_LD_FP", 0x1E, F_LOAD, ("LD",), "f = FP_MEM word."),
    Instruction("S_ST_FP", 0x1F, F_STORE, ("ST",), "FP_MEM word = f."),
    Instruction("S_MAP_V_FP", 0x20, MAP, ("MAP",), "VRAM row = VLEN FP_MEM words."),
    Instruction("S_ADD_INT", 0x21, G3, (), "gp = gpA + gpB modulo 2^32."),
    Instruction("S_ADDI_INT", 0x22, G_IMMEDIATE, (), "gp = gpA + imm18 modulo 2^32."),
    Instruction("S_SUB_INT", 0x23, G3, (), "gp = gpA - gpB modulo 2^32."),
    Instruction("S_MUL_INT", 0x24, G3, (), "gp = gpA * gpB modulo 2^32."),
    Instruction("S_LUI_INT", 0x25, G_UPPER, (), "gp = imm22 * 2^12 modulo 2^32."),
    Instruction("S_LD_INT", 0x26, G_LOAD, (), "gp = INT_MEM word."),
    Instruction("S_ST_INT", 0x27, G_STORE, (), "INT_MEM word = gp."),
    Instruction("H_PREFETCH_M", 0x28, PREFETCH_TILE, ("PREFETCH_M",),
                "MSRAM tile = MLEN rows of HBM, decoded."),
    Instruction("H_PREFETCH_V", 0x29, PREFETCH_ROWS, ("PREFETCH_V",),
                "VPREF VRAM rows = rows of HBM, decoded."),
    Instruction("H_STORE_V", 0x2A, STORE_ROWS, ("STORE_V",), "Rows of HBM = VSTORE VRAM rows, encoded."),
    Instruction("C_SET_ADDR_REG", 0x2B, SET_ADDRESS, (), "a = gpHi * 2^32 + gpLo."),
    Instruction("C_SET_SCALE_REG", 0x2C, SET_SCALE, (), "SCALE = gp."),
    Instruction("C_SET_STRIDE_REG", 0x2D, SET_STRIDE, (), "STRIDE = gp."),
    Instruction("C_SET_V_MASK_REG", 0x2E, SET_V_MASK, (), "V_MASK = the lowest LANES bits of gp."),
    Instruction("C_LOOP_START", 0x2F, LOOP_START, (), "gp = imm22; open a loop whose body runs imm22 times."),
    Instruction("C_LOOP_END", 0x30, LOOP_END, (),
                "If gp > 1, decrement it and jump after the loop's start; else gp = 0 and close the loop."),
    Instruction("V_PS_V", 0x31, NAMED_V, (), _NO_SEMANTICS, legal=False),
    Instruction("V_SHFT_V", 0x32, SHIFT, ("SHFT",),
                "Row = row A moved towards higher indices, +0 shifted in."),
    Instruction("C_HADAMARD_TRANSFORM", 0x33, NAMED_CTRL, (), _NO_SEMANTICS, legal=False),
    Instruction("C_BREAK", 0x34, STOP, (), "Normal stop, also inside a loop."),
    Instruction("V_MAX_VF", 0x35, VF, ("MAX",), "Row = max(row A, f)."),
    Instruction("V_MIN_VF", 0x36, VF, ("MIN",), "Row = min(row A, f)."),
    Instruction("V_TOPK", 0x37, TOPK, ("TOPK_4", "TOPK_8"),
                "Softmax weights and indices of the largest logits of a row."),
)
# fmt: on


def _check(table: Sequence[Instruction]) -> None:
    """Refuse a table that contradicts itself; the message names the instruction and the file to look at."""
    seen: dict[int, str] = {}
    for entry in table:
        where = f"plena_ref/isa/instructions.py: {entry.mnemonic}"
        if entry.opcode in seen or not 0 < entry.opcode <= OPCODE.mask:
            raise ValueError(f"{where}: opcode {entry.opcode:02X} is not free: {seen.get(entry.opcode)}")
        seen[entry.opcode] = entry.mnemonic
        wanted = 0 if not entry.legal or entry.unit not in OPERATIONS else 2 if entry.shape.selector else 1
        if len(entry.operations) != wanted:
            raise ValueError(f"{where}: a {entry.shape.name} has {wanted} operations: {entry.operations}")
        for name in entry.operations:
            if name not in OPERATIONS[entry.unit]:
                reason = f"unit {entry.unit.name} has no operation {name} in plena_ref/isa/operations.py"
                raise ValueError(f"{where}: {reason}")
    for unit, codes in OPERATIONS.items():
        used = {name for entry in table if entry.unit is unit for name in entry.operations}
        for name in codes.keys() - used:
            reason = f"no instruction of plena_ref/isa/instructions.py is operation {name}"
            raise ValueError(f"plena_ref/isa/operations.py: {reason} of unit {unit.name}")


_check(_TABLE)

#: Every named instruction by mnemonic, in opcode order; V_PS_V and C_HADAMARD_TRANSFORM have `legal` False.
INSTRUCTIONS: dict[str, Instruction] = {entry.mnemonic: entry for entry in _TABLE}

#: The same by opcode; what has no entry traps.
BY_OPCODE: dict[int, Instruction] = {entry.opcode: entry for entry in _TABLE}


def opcode(word: int) -> int:
    """The opcode field of a 32-bit word."""
    return OPCODE.get(word)


def decode_trap(word: int) -> TrapCause | None:
    """The cause a word traps with before any operand value is looked at, or None when it decodes.

    ILLEGAL_OPCODE: no such instruction.
    ILLEGAL_OPERAND: a bit that must be 0 is not (an f or a index above 7, a flag above 1, an unused field).
    """
    instruction = BY_OPCODE.get(opcode(word))
    if instruction is None or not instruction.legal:
        return TrapCause.ILLEGAL_OPCODE
    return TrapCause.ILLEGAL_OPERAND if word & instruction.zero_mask else None
