"""What an instruction reads or writes: spaces, counts, places, and one access made of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from plena_ref.isa.encoding import IMM18, IMM22, Field


class Space(Enum):
    """What an instruction reads or writes; the value is how the documentation calls it."""

    VRAM = "VRAM"
    MSRAM = "MSRAM"
    FP_MEM = "FP_MEM"
    INT_MEM = "INT_MEM"
    HBM = "HBM"
    F = "f"
    GP = "gp"
    A = "a"
    M = "m"
    V = "v"
    HM = "hm"
    HV = "hv"
    SCALE = "SCALE"
    STRIDE = "STRIDE"
    V_MASK = "V_MASK"
    LOOPS = "loop stack"


#: The matrix accumulators.
ACCUMULATORS = (Space.M, Space.V, Space.HM, Space.HV)


class Count(Enum):
    """How many rows (VRAM, HBM) or words (FP_MEM, INT_MEM) an access covers."""

    ONE = "1"
    BLEN = "BLEN"
    MLEN = "MLEN"
    LANES = "LANES"
    HEADS = "LANES*MLEN"
    VPREF = "VPREF"
    VSTORE = "VSTORE"
    LOGITS = "logits"
    CHOSEN = "chosen"


class Place(Enum):
    """Where in its row or tile an access may begin."""

    ROW = "a multiple of VLEN"
    BLOCK = "a multiple of BLEN"
    WHOLE = "a multiple of MLEN^2"
    COLUMNS = "row- or element-granular"
    ROWS = "row-granular"
    HEAD = "the head's first tap"


@dataclass(frozen=True)
class Access:
    """One thing that an instruction reads or writes.

    Attributes:
        space: what it is.
        address: the fields whose sum it is: gp registers and an immediate, for HBM an a register too. For a
            register the field that names it.
        count: rows or words from there on.
        stride: field of the gp register that holds the rows between rows; None: they follow one another.
        place: alignment of a VRAM or MSRAM address.
    """

    space: Space
    address: tuple[Field, ...] = ()
    count: Count = Count.ONE
    stride: Field | None = None
    place: Place = Place.ROW

    @property
    def text(self) -> str:
        """As the documentation shows it: `BLEN rows gp[rs2]`, `FP_MEM[gp[rs1]+imm18]`, `f[rd]`."""
        if self.space in (Space.F, Space.GP, Space.A):
            return f"{self.space.value}[{self.address[0].name}]"
        if not self.address:
            return str(self.space.value)
        parts = [field.name if field in (IMM18, IMM22) else f"gp[{field.name}]" for field in self.address]
        if self.space is Space.HBM:
            parts = ["a[rs2]", "gp[rs1]"]
        where = "+".join(parts)
        if self.space is Space.MSRAM:
            return f"tile {where}"
        if self.space in (Space.VRAM, Space.HBM):
            rows = "row" if self.count is Count.ONE else f"{self.count.value} rows"
            rows = "rows of the logits" if self.count is Count.LOGITS else rows
            step = "" if self.stride is None else f" step gp[{self.stride.name}]"
            return f"{'HBM ' if self.space is Space.HBM else ''}{rows} {where}{step}"
        words = {Count.ONE: "", Count.CHOSEN: ", 4 or 8 words"}.get(self.count, f", {self.count.value} words")
        return f"{self.space.value}[{where}]{words}"
