"""The vector unit: rows of VRAM, elementwise and reduced, and what moves between VRAM, FP_MEM and INT_MEM."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.isa.policies import POLICIES
from plena_ref.machine import numerics
from plena_ref.machine.numerics import BF16_TO_F32
from plena_ref.machine.reference.core import Core, Trap
from plena_ref.machine.reference.step import F_SINK, Coded, Step
from plena_ref.machine.topk import top_k

Row = NDArray[np.uint16]

#: A VRAM row (raw bf16) to the row it becomes.
RowFunction = Callable[[Row], Row]


def _red_sum(old: int, row: Row) -> int:
    total = numerics.tree_sum(BF16_TO_F32.take(row))
    return numerics.scalar_to_bf16(BF16_TO_F32[old] + total)


def _red_max(old: int, row: Row) -> int:
    return int(numerics.bf16_max(old, numerics.bf16_max_reduce(row)))


#: Operations of a row and a second row or an f register, on raw bf16 bits.
TWO_SOURCES: dict[str, Callable[..., Row]] = {
    "ADD": numerics.bf16_add,
    "SUB": numerics.bf16_sub,
    "RSUB": lambda row, other: numerics.bf16_sub(other, row),
    "MUL": numerics.bf16_mul,
    "MAX": numerics.bf16_max,
    "MIN": numerics.bf16_min,
}

#: Operations of one row, on raw bf16 bits.
ONE_SOURCE: dict[str, RowFunction] = {
    "EXP": numerics.bf16_exp,
    "RECI": numerics.bf16_reciprocal,
}

#: Reductions: what an unselected element counts as, and the new f register from the old one and the row.
REDUCTIONS: dict[str, tuple[int, Callable[[int, Row], int]]] = {
    "RED_SUM": (0, _red_sum),
    "RED_MAX": (numerics.BF16_NEG_INF, _red_max),
}


def _vector(core: Core, code: Coded, compute: RowFunction, other: int) -> Step:
    """A row instruction with destination rd and source rs1; `compute` maps the source row to the result.

    `other` names a gp register whose row `compute` reads besides, or is rd when there is none.
    """
    gp, rows, written, shift = core.gp, core.rows, core.rows_written, core.row_bits
    destination, source, masked = code.get(isa.RD), code.get(isa.RS1), code.get(isa.RS3)
    misaligned, end = core.hw.mlen - 1, core.hw.vram_elems

    def step() -> None:
        d, a, b = gp[destination], gp[source], gp[other]
        if (d | a | b) & misaligned:
            raise Trap(TrapCause.VRAM_MISALIGNED)
        if d >= end or a >= end or b >= end:
            raise Trap(TrapCause.VRAM_RANGE)
        row = rows[a >> shift]
        result = compute(row)
        if masked:
            result = np.where(core.mask_row, result, row)
        rows[d >> shift] = result
        written[d >> shift] = True

    return step


def two_rows(core: Core, code: Coded) -> Step:
    """The step of shape VV."""
    rows, shift, second = core.rows, core.row_bits, code.get(isa.RS2)
    operation = code.meaning(TWO_SOURCES, code.operation, "vector.py")
    gp = core.gp
    return _vector(core, code, lambda row: operation(row, rows[gp[second] >> shift]), second)


def row_and_f(core: Core, code: Coded) -> Step:
    """The step of shapes VF and VF_REVERSIBLE."""
    f, scalar = core.f, code.get(isa.RS2)
    operation = code.meaning(TWO_SOURCES, code.operation, "vector.py")
    return _vector(core, code, lambda row: operation(row, np.uint16(f[scalar])), code.get(isa.RD))


def one_row(core: Core, code: Coded) -> Step:
    """The step of shape V1."""
    operation = code.meaning(ONE_SOURCE, code.operation, "vector.py")
    return _vector(core, code, operation, code.get(isa.RD))


def shift(core: Core, code: Coded) -> Step:
    """The step of shape SHIFT."""
    gp, mlen, distance = core.gp, core.hw.mlen, code.get(isa.RS2)

    def shifted(row: Row) -> Row:
        n = gp[distance]
        out = np.zeros(mlen, np.uint16)
        if n < mlen:
            out[n:] = row[: mlen - n]
        return out

    return _vector(core, code, shifted, code.get(isa.RD))


def _reduced_row(core: Core, code: Coded, unselected: int) -> Callable[[], Row]:
    """Reads the row that a reduction takes in, with `unselected` in the lanes its mask leaves out."""
    gp, source, masked = core.gp, code.get(isa.RS1), code.get(isa.RS3)

    def read() -> Row:
        row = core.rows[core.first_row(gp[source], 1)]
        return np.where(core.mask_row, row, np.uint16(unselected)) if masked else row

    return read


def reduction(core: Core, code: Coded) -> Step:
    """The step of shape REDUCTION."""
    unselected, combine = code.meaning(REDUCTIONS, code.operation, "vector.py")
    f, source = core.f, code.get(isa.RD)
    destination = source or F_SINK
    read = _reduced_row(core, code, unselected)

    def step() -> None:
        f[destination] = combine(f[source], read())

    return step


def map_row(core: Core, code: Coded) -> Step:
    """The step of shape MAP."""
    gp, mlen, fpmem = core.gp, core.hw.mlen, core.images.fpmem
    destination, source, imm = code.get(isa.RD), code.get(isa.RS1), code.get(isa.IMM18)

    def step() -> None:
        row = core.first_row(gp[destination], 1)
        address = gp[source] + imm
        if address + mlen > core.hw.fp_words:
            raise Trap(TrapCause.FP_MEM_RANGE)
        core.rows[row] = fpmem[address : address + mlen]
        core.rows_written[row] = True

    return step


def topk(core: Core, code: Coded) -> Step:
    """The step of shape TOPK."""
    gp, hw, images, written = core.gp, core.hw, core.images, core.written
    weights_at, source, indices_at = code.get(isa.RD), code.get(isa.RS1), code.get(isa.RS2)
    policy = POLICIES[code.get(isa.RS3)]
    rows = -(-policy.logits // hw.mlen)

    def step() -> None:
        first = core.first_row(gp[source], rows) * hw.mlen
        fp, integer = gp[weights_at], gp[indices_at]
        if fp + policy.chosen > hw.fp_words:
            raise Trap(TrapCause.FP_MEM_RANGE)
        if integer + policy.chosen > hw.int_words:
            raise Trap(TrapCause.INT_MEM_RANGE)
        weights, indices = top_k(images.vram[first : first + policy.logits], policy.chosen)
        images.fpmem[fp : fp + policy.chosen] = weights
        images.intmem[integer : integer + policy.chosen] = indices
        written.fpmem[fp : fp + policy.chosen] = True
        written.intmem[integer : integer + policy.chosen] = True

    return step
