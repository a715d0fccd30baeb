"""The shapes of instructions: what all instructions of one form share.

A shape says the unit, the operands in text and word, and what is read and written: which VRAM rows, MSRAM
tile, registers, memory words, HBM bytes and accumulators. Decoding in RTL, the reference machine's checks,
the random programs and the documentation follow from it.
"""

from __future__ import annotations

from dataclasses import dataclass

from plena_ref.isa.access import Access, Count, Place, Space
from plena_ref.isa.encoding import (
    FUNCT1,
    IMM18,
    IMM22,
    RD,
    RS1,
    RS2,
    RS3,
    Field,
    Format,
    Kind,
    Operand,
    Unit,
)


@dataclass(frozen=True)
class Shape:
    """What all instructions of one form share.

    Attributes:
        name: by which the reference machine and the random programs know it.
        format: which immediate the word has.
        unit: executing unit.
        operands: in text order.
        reads: what is read besides the gp registers that make addresses.
        writes: what is written.
        ignored: fields that may hold anything and change nothing.
        selector: the one-bit operand that tells two operations apart; None when there is one.
    """

    name: str
    format: Format
    unit: Unit
    operands: tuple[Operand, ...] = ()
    reads: tuple[Access, ...] = ()
    writes: tuple[Access, ...] = ()
    ignored: tuple[Field, ...] = ()
    selector: Operand | None = None


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


# Accesses


def _rows(
    *address: Field, count: Count = Count.ONE, stride: Field | None = None, place: Place = Place.ROW
) -> Access:
    return Access(Space.VRAM, address, count, stride, place)


def _tile(*address: Field, place: Place) -> Access:
    return Access(Space.MSRAM, address, place=place)


def _in_f(field: Field) -> Access:
    return Access(Space.F, (field,))


def _in_gp(field: Field) -> Access:
    return Access(Space.GP, (field,))


def _words(space: Space, *address: Field, count: Count = Count.ONE) -> Access:
    return Access(space, address, count)


def _whole(space: Space) -> Access:
    return Access(space)


# Operands that several shapes have

_MATRIX = _gp("gpM", RS1, "MSRAM element address")
_VECTOR = _gp("gpV", RS2, "VRAM element address")
_HEAD = Operand("gpX|0", Kind.GP_OR_ZERO, RD, "added to the matrix address")
_VRAM_DST = _gp("gpD", RD, "destination VRAM row")
_VRAM_A = _gp("gpA", RS1, "first source VRAM row")
_SCALAR = _f("fS", RS2, "scalar operand")
_RMASK_ROLE = "1: only the lanes that V_MASK selects"
_RMASK = _flag("rmask", RS3, _RMASK_ROLE, optional=True)
_RORDER = _flag("rorder", FUNCT1, "0: row - f, 1: f - row")
_POLICY = _flag("policy", RS3, "0: 4 of 32, 1: 8 of 128")
_OUT_ROW = _gp("gpD", RD, "VRAM element address")
_OUT_OFFSET = _imm18("added to the address")
_ADDRESS = (_gp("gpA", RS1, "word address"), _imm18("added to the address"))
_TRANSFER = (
    _gp("gpOff", RS1, "HBM byte offset"),
    Operand("aB", Kind.A, RS2, "HBM base register"),
    _flag("rstride", RS3, "1: rows STRIDE bytes apart, 0: packed"),
    _flag("precision", FUNCT1, "element format"),
)
_PREFETCH_TAIL = Operand("ignored", Kind.IGNORED, None, "accepted and not encoded", optional=True)

_R, _I18, _I22 = Format.R, Format.I18, Format.I22
_MASK = _whole(Space.V_MASK)


# Matrix


def _product(name: str, transposed: bool, count: Count, sums: Space, place: Place) -> Shape:
    """A block or row product; M_TMM alone names the vector address first."""
    matrix, vector = (RS2, RS1) if transposed else (RS1, RS2)
    operands = (
        (_literal_zero(), _gp("gpV", RS1, "VRAM element address"), _gp("gpM", RS2, "MSRAM element address"))
        if transposed
        else (_literal_zero(), _MATRIX, _VECTOR)
    )
    reads = (_rows(vector, count=count), _tile(matrix, place=place), _whole(sums))
    return Shape(name, _R, Unit.M, operands, reads, (_whole(sums),))


def _head_product(name: str, count: Count, sums: Space) -> Shape:
    reads = (_rows(RS2, count=count), _tile(RS1, RD, place=Place.HEAD), _whole(sums))
    return Shape(name, _R, Unit.M, (_HEAD, _MATRIX, _VECTOR), reads, (_whole(sums),))


def _write_out(name: str, count: Count, sums: Space, place: Place) -> Shape:
    written = (_rows(RD, IMM18, count=count, place=place), _whole(sums))
    return Shape(name, _I18, Unit.M, (_OUT_ROW, _OUT_OFFSET), (_whole(sums),), written)


BLOCK_PRODUCT = _product("BLOCK_PRODUCT", False, Count.BLEN, Space.M, Place.COLUMNS)
BLOCK_PRODUCT_T = _product("BLOCK_PRODUCT_T", True, Count.BLEN, Space.M, Place.ROWS)
ROW_PRODUCT = _product("ROW_PRODUCT", False, Count.ONE, Space.V, Place.COLUMNS)
ROW_PRODUCT_T = _product("ROW_PRODUCT_T", False, Count.ONE, Space.V, Place.ROWS)
HEAD_PRODUCT = _head_product("HEAD_PRODUCT", Count.MLEN, Space.HM)
HEAD_ROW_PRODUCT = _head_product("HEAD_ROW_PRODUCT", Count.ONE, Space.HV)
BLOCK_WRITE_OUT = Shape(
    "BLOCK_WRITE_OUT",
    _I18,
    Unit.M,
    (_OUT_ROW, _gp("gpS", RS1, "row stride register; gp0 means stride 1"), _OUT_OFFSET),
    (_whole(Space.M),),
    (_rows(RD, IMM18, count=Count.BLEN, stride=RS1, place=Place.BLOCK), _whole(Space.M)),
)
ROW_WRITE_OUT = _write_out("ROW_WRITE_OUT", Count.ONE, Space.V, Place.BLOCK)
HEAD_WRITE_OUT = _write_out("HEAD_WRITE_OUT", Count.HEADS, Space.HM, Place.ROW)
HEAD_ROW_WRITE_OUT = _write_out("HEAD_ROW_WRITE_OUT", Count.LANES, Space.HV, Place.ROW)

# Vector

VV = Shape(
    "VV",
    _R,
    Unit.V,
    (_VRAM_DST, _VRAM_A, _gp("gpB", RS2, "second source VRAM row"), _RMASK),
    (_rows(RS1), _rows(RS2), _MASK),
    (_rows(RD),),
)
VF = Shape(
    "VF", _R, Unit.V, (_VRAM_DST, _VRAM_A, _SCALAR, _RMASK), (_rows(RS1), _in_f(RS2), _MASK), (_rows(RD),)
)
VF_REVERSIBLE = Shape(
    "VF_REVERSIBLE",
    _R,
    Unit.V,
    (_VRAM_DST, _VRAM_A, _SCALAR, _flag("rmask", RS3, _RMASK_ROLE), _RORDER),
    (_rows(RS1), _in_f(RS2), _MASK),
    (_rows(RD),),
    selector=_RORDER,
)
V1 = Shape("V1", _R, Unit.V, (_VRAM_DST, _VRAM_A, _RMASK), (_rows(RS1), _MASK), (_rows(RD),), ignored=(RS2,))
SHIFT = Shape(
    "SHIFT",
    _R,
    Unit.V,
    (_VRAM_DST, _VRAM_A, _gp("gpN", RS2, "shift distance in elements")),
    (_rows(RS1), _in_gp(RS2)),
    (_rows(RD),),
)
REDUCTION = Shape(
    "REDUCTION",
    _R,
    Unit.V,
    (
        _f("fD", RD, "accumulator, read and written"),
        _gp("gpA", RS1, "source VRAM row"),
        _RMASK,
        _literal_zero(optional=True),
    ),
    (_rows(RS1), _in_f(RD), _MASK),
    (_in_f(RD),),
    ignored=(RS2,),
)
MAP = Shape(
    "MAP",
    _I18,
    Unit.V,
    (_gp("gpV", RD, "destination VRAM row"), *_ADDRESS),
    (_words(Space.FP_MEM, RS1, IMM18, count=Count.MLEN),),
    (_rows(RD),),
)
TOPK = Shape(
    "TOPK",
    _R,
    Unit.V,
    (
        _gp("gpFP", RD, "FP_MEM address of the weights"),
        _gp("gpRow", RS1, "VRAM address of the logits"),
        _gp("gpINT", RS2, "INT_MEM address of the indices"),
        _POLICY,
    ),
    (_rows(RS1, count=Count.LOGITS),),
    (_words(Space.FP_MEM, RD, count=Count.CHOSEN), _words(Space.INT_MEM, RS2, count=Count.CHOSEN)),
    selector=_POLICY,
)

# Scalar float

F3 = Shape(
    "F3",
    _R,
    Unit.F,
    (_f("fD", RD, "destination"), _f("fA", RS1, "first source"), _f("fB", RS2, "second source")),
    (_in_f(RS1), _in_f(RS2)),
    (_in_f(RD),),
)
F2 = Shape(
    "F2",
    _R,
    Unit.F,
    (_f("fD", RD, "destination"), _f("fA", RS1, "source"), _literal_zero(optional=True)),
    (_in_f(RS1),),
    (_in_f(RD),),
)
F_LOAD = Shape(
    "F_LOAD",
    _I18,
    Unit.F,
    (_f("fD", RD, "destination"), *_ADDRESS),
    (_words(Space.FP_MEM, RS1, IMM18),),
    (_in_f(RD),),
)
F_STORE = Shape(
    "F_STORE",
    _I18,
    Unit.F,
    (_f("fS", RD, "source"), *_ADDRESS),
    (_in_f(RD),),
    (_words(Space.FP_MEM, RS1, IMM18),),
)

# Integer

G3 = Shape(
    "G3",
    _R,
    Unit.INT,
    (_gp("gpD", RD, "destination"), _gp("gpA", RS1, "first source"), _gp("gpB", RS2, "second source")),
    (_in_gp(RS1), _in_gp(RS2)),
    (_in_gp(RD),),
)
G_IMMEDIATE = Shape(
    "G_IMMEDIATE",
    _I18,
    Unit.INT,
    (_gp("gpD", RD, "destination"), _gp("gpA", RS1, "source"), _imm18("unsigned addend")),
    (_in_gp(RS1),),
    (_in_gp(RD),),
)
G_UPPER = Shape(
    "G_UPPER",
    _I22,
    Unit.INT,
    (_gp("gpD", RD, "destination"), Operand("imm22", Kind.IMM, IMM22, "shifted left by 12")),
    (),
    (_in_gp(RD),),
)
G_LOAD = Shape(
    "G_LOAD",
    _I18,
    Unit.INT,
    (_gp("gpD", RD, "destination"), *_ADDRESS),
    (_words(Space.INT_MEM, RS1, IMM18),),
    (_in_gp(RD),),
)
G_STORE = Shape(
    "G_STORE",
    _I18,
    Unit.INT,
    (_gp("gpS", RD, "source"), *_ADDRESS),
    (_in_gp(RD),),
    (_words(Space.INT_MEM, RS1, IMM18),),
)

# HBM

_TRANSFER_REGISTERS = (Access(Space.A, (RS2,)), _whole(Space.SCALE), _whole(Space.STRIDE))

PREFETCH_TILE = Shape(
    "PREFETCH_TILE",
    _R,
    Unit.H,
    (_gp("gpDst", RD, "destination MSRAM tile"), *_TRANSFER, _PREFETCH_TAIL),
    (Access(Space.HBM, (RS2, RS1), Count.MLEN), *_TRANSFER_REGISTERS),
    (_tile(RD, place=Place.WHOLE),),
)
PREFETCH_ROWS = Shape(
    "PREFETCH_ROWS",
    _R,
    Unit.H,
    (_gp("gpDst", RD, "first destination VRAM row"), *_TRANSFER, _PREFETCH_TAIL),
    (Access(Space.HBM, (RS2, RS1), Count.VPREF), *_TRANSFER_REGISTERS),
    (_rows(RD, count=Count.VPREF),),
)
STORE_ROWS = Shape(
    "STORE_ROWS",
    _R,
    Unit.H,
    (_gp("gpSrc", RD, "first source VRAM row"), *_TRANSFER),
    (_rows(RD, count=Count.VSTORE), *_TRANSFER_REGISTERS),
    (Access(Space.HBM, (RS2, RS1), Count.VSTORE),),
)

# Control

SET_ADDRESS = Shape(
    "SET_ADDRESS",
    _R,
    Unit.CTRL,
    (
        Operand("aD", Kind.A, RD, "destination"),
        _gp("gpHi", RS1, "upper 32 bits"),
        _gp("gpLo", RS2, "lower 32 bits"),
    ),
    (_in_gp(RS1), _in_gp(RS2)),
    (Access(Space.A, (RD,)),),
)


def _set_register(space: Space) -> Shape:
    operands = (_gp("gpS", RD, "source"),)
    return Shape(f"SET_{space.name}", _R, Unit.CTRL, operands, (_in_gp(RD),), (_whole(space),))


SET_SCALE = _set_register(Space.SCALE)
SET_STRIDE = _set_register(Space.STRIDE)
SET_V_MASK = _set_register(Space.V_MASK)
LOOP_START = Shape(
    "LOOP_START",
    _I22,
    Unit.CTRL,
    (_gp("gpCnt", RD, "loop counter"), Operand("imm22", Kind.IMM, IMM22, "trip count")),
    (_whole(Space.LOOPS),),
    (_in_gp(RD), _whole(Space.LOOPS)),
)
LOOP_END = Shape(
    "LOOP_END",
    _R,
    Unit.CTRL,
    (_gp("gpCnt", RD, "loop counter"),),
    (_in_gp(RD), _whole(Space.LOOPS)),
    (_in_gp(RD), _whole(Space.LOOPS)),
)
STOP = Shape("STOP", _R, Unit.CTRL)

#: Names without semantics: a unit, and nothing else.
NAMED_V = Shape("NAMED_V", _R, Unit.V)
NAMED_CTRL = Shape("NAMED_CTRL", _R, Unit.CTRL)
