"""What an instruction word is made of: fields, formats, operands; and the units and trap causes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import cached_property

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

    @cached_property
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
    def place(self) -> Field:
        """The field of an encoded operand.

        Raises:
            ValueError: it leaves no trace in the word.
        """
        if self.field is None:
            raise ValueError(f"operand {self.name} is not encoded")
        return self.field

    @cached_property
    def limit(self) -> int:
        """Number of legal values of an encoded operand: 0..limit-1."""
        if self.kind in _REGISTERS:
            return _REGISTERS[self.kind]
        if self.kind is Kind.FLAG:
            return 2
        if self.kind is Kind.IMM and self.field is not None:
            return 1 << self.field.width
        return 1

    @cached_property
    def mask(self) -> int:
        """Bits of the word that a legal value of this operand may set."""
        return 0 if self.field is None else (self.limit - 1) << self.field.lsb
