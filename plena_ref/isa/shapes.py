"""The shapes of instructions: what all instructions of one form share.

A shape says the unit, the operands in text and word, and what is read and written: which VRAM rows, MSRAM
tile, registers, memory words, HBM bytes and accumulators. Decoding in RTL, the reference machine's checks,
the random programs and the documentation follow from it.
"""

from __future__ import annotations

from collections.abc import Callable
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
from plena_ref.isa.policies import POLICIES


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
_POLICY = _flag(
    "policy", RS3, ", ".join(f"{value}: {one.chosen} of {one.logits}" for value, one in enumerate(POLICIES))
)
_CHOICE = (
    _gp("gpFP", RD, "FP_MEM address of the weights"),
    _gp("gpRow", RS1, "VRAM address of the logits"),
    _gp("gpINT", RS2, "INT_MEM address of the indices"),
    _POLICY,
)
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


def _row_step(
    name: str,
    operands: tuple[Operand, ...],
    reads: tuple[Access, ...],
    ignored: tuple[Field, ...] = (),
    selector: Operand | None = None,
) -> Shape:
    """A row from row A and what else it reads."""
    given = (_VRAM_DST, _VRAM_A, *operands)
    return Shape(name, _R, Unit.V, given, (_rows(RS1), *reads), (_rows(RD),), ignored, selector)


VV = _row_step("VV", (_gp("gpB", RS2, "second source VRAM row"), _RMASK), (_rows(RS2), _MASK))
VF = _row_step("VF", (_SCALAR, _RMASK), (_in_f(RS2), _MASK))
VF_REVERSIBLE = _row_step(
    "VF_REVERSIBLE",
    (_SCALAR, _flag("rmask", RS3, _RMASK_ROLE), _RORDER),
    (_in_f(RS2), _MASK),
    selector=_RORDER,
)
V1 = _row_step("V1", (_RMASK,), (_MASK,), ignored=(RS2,))
SHIFT = _row_step("SHIFT", (_gp("gpN", RS2, "shift distance in elements"),), (_in_gp(RS2),))
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
    _CHOICE,
    (_rows(RS1, count=Count.LOGITS),),
    (_words(Space.FP_MEM, RD, count=Count.CHOSEN), _words(Space.INT_MEM, RS2, count=Count.CHOSEN)),
    selector=_POLICY,
)

# Scalars


def _two_sources(
    name: str,
    unit: Unit,
    names: tuple[str, str, str],
    operand: Callable[[str, Field, str], Operand],
    access: Callable[[Field], Access],
) -> Shape:
    """Arithmetic of two registers of a file; `names` are those of destination, first and second source."""
    roles = zip(names, (RD, RS1, RS2), ("destination", "first source", "second source"), strict=True)
    operands = tuple(operand(*role) for role in roles)
    return Shape(name, _R, unit, operands, (access(RS1), access(RS2)), (access(RD),))


def _load(name: str, unit: Unit, target: Operand, memory: Space, register: Access) -> Shape:
    return Shape(name, _I18, unit, (target, *_ADDRESS), (_words(memory, RS1, IMM18),), (register,))


def _store(name: str, unit: Unit, source: Operand, memory: Space, register: Access) -> Shape:
    return Shape(name, _I18, unit, (source, *_ADDRESS), (register,), (_words(memory, RS1, IMM18),))


# Scalar float

F3 = _two_sources("F3", Unit.F, ("fD", "fA", "fB"), _f, _in_f)
F2 = Shape(
    "F2",
    _R,
    Unit.F,
    (_f("fD", RD, "destination"), _f("fA", RS1, "source"), _literal_zero(optional=True)),
    (_in_f(RS1),),
    (_in_f(RD),),
)
F_LOAD = _load("F_LOAD", Unit.F, _f("fD", RD, "destination"), Space.FP_MEM, _in_f(RD))
F_STORE = _store("F_STORE", Unit.F, _f("fS", RD, "source"), Space.FP_MEM, _in_f(RD))

# Integer

G3 = _two_sources("G3", Unit.INT, ("gpD", "gpA", "gpB"), _gp, _in_gp)
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
G_LOAD = _load("G_LOAD", Unit.INT, _gp("gpD", RD, "destination"), Space.INT_MEM, _in_gp(RD))
G_STORE = _store("G_STORE", Unit.INT, _gp("gpS", RD, "source"), Space.INT_MEM, _in_gp(RD))

# HBM

_TRANSFER_REGISTERS = (Access(Space.A, (RS2,)), _whole(Space.SCALE), _whole(Space.STRIDE))


def _prefetch(name: str, role: str, count: Count, written: Access) -> Shape:
    operands = (_gp("gpDst", RD, role), *_TRANSFER, _PREFETCH_TAIL)
    reads = (Access(Space.HBM, (RS2, RS1), count), *_TRANSFER_REGISTERS)
    return Shape(name, _R, Unit.H, operands, reads, (written,))


PREFETCH_TILE = _prefetch("PREFETCH_TILE", "destination MSRAM tile", Count.MLEN, _tile(RD, place=Place.WHOLE))
PREFETCH_ROWS = _prefetch(
    "PREFETCH_ROWS", "first destination VRAM row", Count.VPREF, _rows(RD, count=Count.VPREF)
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
