"""The instruction set as one table: encoding, text form, unit and meaning of every instruction.

The assembler, the disassembler, the reference machine, `rtl/plena_pkg.sv` and the table in
`docs/isa.md` are all made from `INSTRUCTIONS`. Behaviour is specified in `docs/isa.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

WORD_MASK = 0xFFFF_FFFF


class TrapCause(IntEnum):
    """Why a machine trapped. When several causes hold for one instruction, the lowest code is reported."""

    ILLEGAL_OPCODE = 1
    ILLEGAL_OPERAND = 2
    VRAM_MISALIGNED = 3
    VRAM_RANGE = 4
    MSRAM_MISALIGNED = 5
    MSRAM_RANGE = 6
    FP_MEM_RANGE = 7
    INT_MEM_RANGE = 8
    HBM_MISALIGNED = 9
    HBM_ERROR = 10
    LOOP_COUNT = 11
    LOOP_OVERFLOW = 12
    LOOP_MISMATCH = 13
    FETCH_ERROR = 14
    WATCHDOG = 15


class Unit(IntEnum):
    """The unit that executes an instruction."""

    INT = 0
    CTRL = 1
    M = 2
    V = 3
    F = 4
    H = 5


@dataclass(frozen=True)
class Field:
    """A bit field of an instruction word: `width` bits from bit `lsb`."""

    name: str
    lsb: int
    width: int

    @property
    def mask(self) -> int:
        """The field's bits in the 32-bit word."""
        return ((1 << self.width) - 1) << self.lsb

    def get(self, word: int) -> int:
        """The field's value in `word`."""
        return (word & self.mask) >> self.lsb


OPCODE = Field("opcode", 0, 6)
RD = Field("rd", 6, 4)
RS1 = Field("rs1", 10, 4)
RS2 = Field("rs2", 14, 4)
RS3 = Field("rs3", 18, 4)
FUNCT1 = Field("funct1", 22, 4)
IMM18 = Field("imm18", 14, 18)
IMM22 = Field("imm22", 10, 22)
FIELDS: tuple[Field, ...] = (OPCODE, RD, RS1, RS2, RS3, FUNCT1, IMM18, IMM22)


class Format(Enum):
    """Which immediate, if any, takes the upper bits of the word."""

    R = "register"
    I18 = "imm18"
    I22 = "imm22"


class Kind(Enum):
    """What an operand may be in assembly text; the value is how an error message calls it."""

    GP = "an integer register gp0..gp15"
    F = "a float register f0..f7"
    A = "an HBM address register a0..a7"
    GP_OR_ZERO = "an integer register gp0..gp15 or the literal 0"
    ZERO = "the literal 0"
    IMM = "a decimal literal"
    FLAG = "the literal 0 or 1"
    IGNORED = "a register or a decimal literal"


#: Values a register operand may take; the bits above these in a four-bit field must be 0.
_REGISTERS = {Kind.GP: 16, Kind.GP_OR_ZERO: 16, Kind.F: 8, Kind.A: 8}


@dataclass(frozen=True)
class Operand:
    """One operand in text order.

    Attributes:
        name: as it is called in docs/isa.md (`gpD`, `imm18`, `rmask`).
        kind: what the text may hold.
        field: where it is encoded; None for a text operand that leaves no trace in the word.
        role: what the instruction does with it.
        optional: may be left out (then it is 0); only trailing operands are.
    """

    name: str
    kind: Kind
    field: Field | None
    role: str
    optional: bool = False

    @property
    def limit(self) -> int:
        """Number of legal values of an encoded operand: 0..limit-1."""
        if self.kind in _REGISTERS:
            return _REGISTERS[self.kind]
        if self.kind is Kind.FLAG:
            return 2
        if self.kind is Kind.IMM and self.field is not None:
            return 1 << self.field.width
        return 1

    @property
    def mask(self) -> int:
        """Bits of the word that a legal value of this operand may set."""
        return 0 if self.field is None else (self.limit - 1) << self.field.lsb


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        mnemonic: name in assembly.
        opcode: six-bit code.
        format: which immediate it carries.
        unit: which unit executes it.
        operands: in text order.
        meaning: one line.
        ignored: fields that may hold anything and change nothing.
        legal: False for a code that has a name but no semantics; it always traps.
    """

    mnemonic: str
    opcode: int
    format: Format
    unit: Unit
    operands: tuple[Operand, ...]
    meaning: str
    ignored: tuple[Field, ...] = ()
    legal: bool = True

    @property
    def encoded(self) -> tuple[Operand, ...]:
        """The operands that have a field in the word, in text order."""
        return tuple(operand for operand in self.operands if operand.field is not None)

    @property
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
            word |= value << operand.field.lsb
        return word

    def decode(self, word: int) -> tuple[int, ...]:
        """The values of the encoded operands in `word`, in text order (not checked for legality)."""
        return tuple(operand.field.get(word) for operand in self.encoded)


def _gp(name: str, field: Field, role: str) -> Operand:
    return Operand(name, Kind.GP, field, role)


def _f(name: str, field: Field, role: str) -> Operand:
    return Operand(name, Kind.F, field, role)


def _imm18(role: str = "unsigned offset") -> Operand:
    return Operand("imm18", Kind.IMM, IMM18, role)


def _flag(name: str, field: Field, role: str, optional: bool = False) -> Operand:
    return Operand(name, Kind.FLAG, field, role, optional)


def _literal_zero(optional: bool = False) -> Operand:
    return Operand("0", Kind.ZERO, None, "always 0, not encoded", optional)


_MATRIX = _gp("gpM", RS1, "MSRAM element address")
_VECTOR = _gp("gpV", RS2, "VRAM element address")
_HEAD = Operand("gpX|0", Kind.GP_OR_ZERO, RD, "added to the matrix address")
_VRAM_DST = _gp("gpD", RD, "destination VRAM row")
_VRAM_A = _gp("gpA", RS1, "first source VRAM row")
_RMASK = _flag("rmask", RS3, "1: only the lanes that V_MASK selects", optional=True)
_WRITE_OUT = (_gp("gpD", RD, "VRAM element address"), _imm18("added to the address"))

_R, _I18, _I22 = Format.R, Format.I18, Format.I22
_HEADS = (_HEAD, _MATRIX, _VECTOR)
_VV = (_VRAM_DST, _VRAM_A, _gp("gpB", RS2, "second source VRAM row"), _RMASK)
_VF = (_VRAM_DST, _VRAM_A, _f("fS", RS2, "scalar operand"), _RMASK)
_V1 = (_VRAM_DST, _VRAM_A, _RMASK)
_RED = (
    _f("fD", RD, "accumulator, read and written"),
    _gp("gpA", RS1, "source VRAM row"),
    _RMASK,
    _literal_zero(optional=True),
)
_F3 = (_f("fD", RD, "destination"), _f("fA", RS1, "first source"), _f("fB", RS2, "second source"))
_F2 = (_f("fD", RD, "destination"), _f("fA", RS1, "source"), _literal_zero(optional=True))
_G3 = (_gp("gpD", RD, "destination"), _gp("gpA", RS1, "first source"), _gp("gpB", RS2, "second source"))
_ADDRESS = (_gp("gpA", RS1, "word address"), _imm18("added to the address"))
_TRANSFER = (
    _gp("gpOff", RS1, "HBM byte offset"),
    Operand("aB", Kind.A, RS2, "HBM base register"),
    _flag("rstride", RS3, "1: rows STRIDE bytes apart, 0: packed"),
    _flag("precision", FUNCT1, "element format"),
)
_PREFETCH_TAIL = Operand("ignored", Kind.IGNORED, None, "accepted and not encoded", optional=True)
_NO_SEMANTICS = "No defined semantics; always traps as ILLEGAL_OPCODE."

_TABLE: tuple[Instruction, ...] = (
    Instruction("M_MM", 0x01, _R, Unit.M, (_literal_zero(), _MATRIX, _VECTOR),
                "Block accumulator += BLEN VRAM rows times BLEN columns of a tile."),
    Instruction("M_TMM", 0x02, _R, Unit.M,
                (_literal_zero(), _gp("gpV", RS1, "VRAM element address"),
                 _gp("gpM", RS2, "MSRAM element address")),
                "Block accumulator += BLEN VRAM rows times BLEN rows of a tile, transposed."),
    Instruction("M_BMM", 0x03, _R, Unit.M, _HEADS,
                "Per-head accumulators += MLEN VRAM rows (interleaved lanes) times HLEN rows of a tile."),
    Instruction("M_BTMM", 0x04, _R, Unit.M, _HEADS,
                "Per-head accumulators += MLEN VRAM rows (contiguous lanes) times HLEN columns, transposed."),
    Instruction("M_BMM_WO", 0x05, _I18, Unit.M, _WRITE_OUT,
                "Write the per-head accumulators to LANES*MLEN VRAM rows and clear them."),
    Instruction("M_MM_WO", 0x06, _I18, Unit.M,
                (_WRITE_OUT[0], _gp("gpS", RS1, "row stride register; gp0 means stride 1"), _WRITE_OUT[1]),
                "Write the block accumulator to BLEN columns of BLEN VRAM rows and clear it."),
    Instruction("M_MV", 0x07, _R, Unit.M, (_literal_zero(), _MATRIX, _VECTOR),
                "Vector accumulator += one VRAM row times BLEN columns of a tile."),
    Instruction("M_TMV", 0x08, _R, Unit.M, (_literal_zero(), _MATRIX, _VECTOR),
                "Vector accumulator += one VRAM row times BLEN rows of a tile, transposed."),
    Instruction("M_BMV", 0x09, _R, Unit.M, _HEADS,
                "Per-head vector accumulators += a VRAM row (interleaved lanes) times HLEN rows of a tile."),
    Instruction("M_BTMV", 0x0A, _R, Unit.M, _HEADS,
                "Per-head vector accumulators += one VRAM row (contiguous lanes), transposed tile."),
    Instruction("M_MV_WO", 0x0B, _I18, Unit.M, _WRITE_OUT,
                "Write the vector accumulator to BLEN columns of one VRAM row and clear it."),
    Instruction("M_BMV_WO", 0x0C, _I18, Unit.M, _WRITE_OUT,
                "Write the per-head vector accumulators to LANES VRAM rows and clear them."),
    Instruction("V_ADD_VV", 0x0D, _R, Unit.V, _VV, "Row = row A + row B."),
    Instruction("V_ADD_VF", 0x0E, _R, Unit.V, _VF, "Row = row A + f."),
    Instruction("V_SUB_VV", 0x0F, _R, Unit.V, _VV, "Row = row A - row B."),
    Instruction("V_SUB_VF", 0x10, _R, Unit.V,
                (_VRAM_DST, _VRAM_A, _f("fS", RS2, "scalar operand"),
                 _flag("rmask", RS3, "1: only the lanes that V_MASK selects"),
                 _flag("rorder", FUNCT1, "0: row - f, 1: f - row")),
                "Row = row A - f, or f - row A."),
    Instruction("V_MUL_VV", 0x11, _R, Unit.V, _VV, "Row = row A * row B."),
    Instruction("V_MUL_VF", 0x12, _R, Unit.V, _VF, "Row = row A * f."),
    Instruction("V_EXP_V", 0x13, _R, Unit.V, _V1, "Row = exp(row A).", ignored=(RS2,)),
    Instruction("V_RECI_V", 0x14, _R, Unit.V, _V1, "Row = 1 / row A.", ignored=(RS2,)),
    Instruction("V_RED_SUM", 0x15, _R, Unit.V, _RED, "f = f + sum of the row.", ignored=(RS2,)),
    Instruction("V_RED_MAX", 0x16, _R, Unit.V, _RED, "f = max(f, maximum of the row).", ignored=(RS2,)),
    Instruction("S_ADD_FP", 0x17, _R, Unit.F, _F3, "f = fA + fB."),
    Instruction("S_SUB_FP", 0x18, _R, Unit.F, _F3, "f = fA - fB."),
    Instruction("S_MAX_FP", 0x19, _R, Unit.F, _F3, "f = max(fA, fB)."),
    Instruction("S_MUL_FP", 0x1A, _R, Unit.F, _F3, "f = fA * fB."),
    Instruction("S_EXP_FP", 0x1B, _R, Unit.F, _F2, "f = exp(fA)."),
    Instruction("S_RECI_FP", 0x1C, _R, Unit.F, _F2, "f = 1 / fA."),
    Instruction("S_SQRT_FP", 0x1D, _R, Unit.F, _F2, "f = square root of fA."),
    Instruction("S_LD_FP", 0x1E, _I18, Unit.F, (_f("fD", RD, "destination"), *_ADDRESS),
                "f = FP_MEM word."),
    Instruction("S_ST_FP", 0x1F, _I18, Unit.F, (_f("fS", RD, "source"), *_ADDRESS),
                "FP_MEM word = f."),
    Instruction("S_MAP_V_FP", 0x20, _I18, Unit.V, (_gp("gpV", RD, "destination VRAM row"), *_ADDRESS),
                "VRAM row = VLEN FP_MEM words."),
    Instruction("S_ADD_INT", 0x21, _R, Unit.INT, _G3, "gp = gpA + gpB modulo 2^32."),
    Instruction("S_ADDI_INT", 0x22, _I18, Unit.INT,
                (_gp("gpD", RD, "destination"), _gp("gpA", RS1, "source"), _imm18("unsigned addend")),
                "gp = gpA + imm18 modulo 2^32."),
    Instruction("S_SUB_INT", 0x23, _R, Unit.INT, _G3, "gp = gpA - gpB modulo 2^32."),
    Instruction("S_MUL_INT", 0x24, _R, Unit.INT, _G3, "gp = gpA * gpB modulo 2^32."),
    Instruction("S_LUI_INT", 0x25, _I22, Unit.INT,
                (_gp("gpD", RD, "destination"), Operand("imm22", Kind.IMM, IMM22, "shifted left by 12")),
                "gp = imm22 * 2^12 modulo 2^32."),
    Instruction("S_LD_INT", 0x26, _I18, Unit.INT, (_gp("gpD", RD, "destination"), *_ADDRESS),
                "gp = INT_MEM word."),
    Instruction("S_ST_INT", 0x27, _I18, Unit.INT, (_gp("gpS", RD, "source"), *_ADDRESS),
                "INT_MEM word = gp."),
    Instruction("H_PREFETCH_M", 0x28, _R, Unit.H,
                (_gp("gpDst", RD, "destination MSRAM tile"), *_TRANSFER, _PREFETCH_TAIL),
                "MSRAM tile = MLEN rows of HBM, decoded."),
    Instruction("H_PREFETCH_V", 0x29, _R, Unit.H,
                (_gp("gpDst", RD, "first destination VRAM row"), *_TRANSFER, _PREFETCH_TAIL),
                "VPREF VRAM rows = rows of HBM, decoded."),
    Instruction("H_STORE_V", 0x2A, _R, Unit.H, (_gp("gpSrc", RD, "first source VRAM row"), *_TRANSFER),
                "Rows of HBM = VSTORE VRAM rows, encoded."),
    Instruction("C_SET_ADDR_REG", 0x2B, _R, Unit.CTRL,
                (Operand("aD", Kind.A, RD, "destination"), _gp("gpHi", RS1, "upper 32 bits"),
                 _gp("gpLo", RS2, "lower 32 bits")),
                "a = gpHi * 2^32 + gpLo."),
    Instruction("C_SET_SCALE_REG", 0x2C, _R, Unit.CTRL, (_gp("gpS", RD, "source"),), "SCALE = gp."),
    Instruction("C_SET_STRIDE_REG", 0x2D, _R, Unit.CTRL, (_gp("gpS", RD, "source"),), "STRIDE = gp."),
    Instruction("C_SET_V_MASK_REG", 0x2E, _R, Unit.CTRL, (_gp("gpS", RD, "source"),),
                "V_MASK = the lowest LANES bits of gp."),
    Instruction("C_LOOP_START", 0x2F, _I22, Unit.CTRL,
                (_gp("gpCnt", RD, "loop counter"), Operand("imm22", Kind.IMM, IMM22, "trip count")),
                "gp = imm22; open a loop whose body runs imm22 times."),
    Instruction("C_LOOP_END", 0x30, _R, Unit.CTRL, (_gp("gpCnt", RD, "loop counter"),),
                "If gp > 1, decrement it and jump behind the loop's start; else gp = 0 and close the loop."),
    Instruction("V_PS_V", 0x31, _R, Unit.V, (), _NO_SEMANTICS, legal=False),
    Instruction("V_SHFT_V", 0x32, _R, Unit.V,
                (_VRAM_DST, _VRAM_A, _gp("gpN", RS2, "shift distance in elements")),
                "Row = row A moved towards higher indices, +0 shifted in."),
    Instruction("C_HADAMARD_TRANSFORM", 0x33, _R, Unit.CTRL, (), _NO_SEMANTICS, legal=False),
    Instruction("C_BREAK", 0x34, _R, Unit.CTRL, (), "Normal stop, also inside a loop."),
    Instruction("V_MAX_VF", 0x35, _R, Unit.V, _VF, "Row = max(row A, f)."),
    Instruction("V_MIN_VF", 0x36, _R, Unit.V, _VF, "Row = min(row A, f)."),
    Instruction("V_TOPK", 0x37, _R, Unit.V,
                (_gp("gpFP", RD, "FP_MEM address of the weights"),
                 _gp("gpRow", RS1, "VRAM address of the logits"),
                 _gp("gpINT", RS2, "INT_MEM address of the indices"),
                 _flag("policy", RS3, "0: 4 of 32, 1: 8 of 128")),
                "Softmax weights and indices of the largest logits of a row."),
)

#: Every named instruction by mnemonic, in opcode order; V_PS_V and C_HADAMARD_TRANSFORM have `legal` False.
INSTRUCTIONS: dict[str, Instruction] = {entry.mnemonic: entry for entry in _TABLE}

#: The same by opcode. 00 and 38..3F have no entry.
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
