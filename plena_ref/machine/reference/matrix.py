"""The matrix unit: products of VRAM rows and MSRAM tiles into the accumulators, and their write-outs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.accumulators import BlockSums, HeadSums
from plena_ref.machine.reference.core import Core, Trap
from plena_ref.machine.reference.step import Coded, Step

#: Reads a right operand, raw bf16 [MLEN, BLEN].
Operand = Callable[[], NDArray[np.uint16]]

#: Per-head products that take columns of the tile, transposed.
_TRANSPOSED = {"BMM": False, "BTMM": True, "BMV": False, "BTMV": True}


def _columns(core: Core, code: Coded, field: isa.Field) -> Operand:
    """Reads the right operand [MLEN, BLEN] of M_MM and M_MV at gp[field], in either offset form."""
    gp, mlen, blen, tile_mask = core.gp, core.hw.mlen, core.hw.blen, core.hw.tile_elems - 1
    matrix = code.get(field)

    def read() -> NDArray[np.uint16]:
        offset = gp[matrix] & tile_mask
        if offset % (blen * mlen) == 0:
            column = offset // mlen
        elif offset < mlen and offset % blen == 0:
            column = offset
        else:
            raise Trap(TrapCause.MSRAM_MISALIGNED)
        result: NDArray[np.uint16] = core.tiles[core.tile(gp[matrix])][:, column : column + blen]
        return result

    return read


def _transposed_rows(core: Core, code: Coded, field: isa.Field) -> Operand:
    """Reads the right operand [MLEN, BLEN] of M_TMM and M_TMV at gp[field]: BLEN rows, transposed."""
    gp, mlen, blen, tile_mask = core.gp, core.hw.mlen, core.hw.blen, core.hw.tile_elems - 1
    matrix = code.get(field)

    def read() -> NDArray[np.uint16]:
        offset = gp[matrix] & tile_mask
        if offset % (blen * mlen):
            raise Trap(TrapCause.MSRAM_MISALIGNED)
        first = offset // mlen
        result: NDArray[np.uint16] = core.tiles[core.tile(gp[matrix])][first : first + blen].T
        return result

    return read


def _product(core: Core, sums: BlockSums, rows: int, vector: int, read: Operand) -> Step:
    """sums += `rows` VRAM rows from gp[vector] times what `read` gives."""
    gp = core.gp

    def step() -> None:
        row = core.first_row(gp[vector], rows)
        sums.accumulate(core.rows[row : row + rows], read())

    return step


def _block_write_out(core: Core, code: Coded, sums: BlockSums, count: int, stride: int) -> Step:
    """Write BLEN columns of `count` VRAM rows that lie gp[stride] rows apart, or 1 when `stride` is 0."""
    gp, mlen, blen, rows = core.gp, core.hw.mlen, core.hw.blen, core.hw.vram_rows
    destination, imm = code.get(isa.RD), code.get(isa.IMM18)

    def step() -> None:
        address = gp[destination] + imm
        if address % blen:
            raise Trap(TrapCause.VRAM_MISALIGNED)
        first, column = address >> core.row_bits, address & (mlen - 1)
        step_rows = gp[stride] if stride else 1
        last = first + (count - 1) * step_rows
        if last >= rows:
            raise Trap(TrapCause.VRAM_RANGE)
        block = sums.write_out()
        columns = slice(column, column + blen)
        if step_rows:
            where = slice(first, last + 1, step_rows)
            core.rows[where, columns] = block
        else:
            where = slice(first, first + 1)
            core.rows[where, columns] = block[-1]
        core.rows_written[where, columns] = True

    return step


def _head_product(core: Core, code: Coded, sums: HeadSums, rows: int, transposed: bool) -> Step:
    """sums += each head's lanes of `rows` VRAM rows times HLEN rows, or transposed columns, of a tile."""
    gp, hw, tile_mask = core.gp, core.hw, core.hw.tile_elems - 1
    extra, matrix, vector = code.get(isa.RD), code.get(isa.RS1), code.get(isa.RS2)

    def step() -> None:
        row = core.first_row(gp[vector], rows)
        address = gp[matrix] + gp[extra]
        h = address & tile_mask
        if h >= hw.mlen or h % hw.hlen:
            raise Trap(TrapCause.MSRAM_MISALIGNED)
        tile = core.tiles[core.tile(address)]
        left = core.rows[row : row + rows]
        if transposed:
            heads = left.reshape(rows, hw.lanes, hw.hlen).transpose(1, 0, 2)
            sums.accumulate(heads, tile[:, h : h + hw.hlen].T)
        else:
            heads = left.reshape(rows, hw.hlen, hw.lanes).transpose(2, 0, 1)
            sums.accumulate(heads, tile[h : h + hw.hlen])

    return step


def _head_write_out(core: Core, code: Coded, sums: HeadSums, rows: int) -> Step:
    """Write LANES * `rows` whole VRAM rows, head after head."""
    gp, destination, imm = core.gp, code.get(isa.RD), code.get(isa.IMM18)
    count = core.hw.lanes * rows

    def step() -> None:
        first = core.first_row(gp[destination] + imm, count)
        core.rows[first : first + count] = sums.write_out().reshape(count, core.hw.mlen)
        core.rows_written[first : first + count] = True

    return step


def block_product(core: Core, code: Coded) -> Step:
    """The step of shape BLOCK_PRODUCT."""
    return _product(core, core.m, core.hw.blen, code.get(isa.RS2), _columns(core, code, isa.RS1))


def block_product_transposed(core: Core, code: Coded) -> Step:
    """The step of shape BLOCK_PRODUCT_T."""
    return _product(core, core.m, core.hw.blen, code.get(isa.RS1), _transposed_rows(core, code, isa.RS2))


def row_product(core: Core, code: Coded) -> Step:
    """The step of shape ROW_PRODUCT."""
    return _product(core, core.v, 1, code.get(isa.RS2), _columns(core, code, isa.RS1))


def row_product_transposed(core: Core, code: Coded) -> Step:
    """The step of shape ROW_PRODUCT_T."""
    return _product(core, core.v, 1, code.get(isa.RS2), _transposed_rows(core, code, isa.RS1))


def _transposed(code: Coded) -> bool:
    return code.meaning(_TRANSPOSED, code.operation, "matrix.py")


def head_product(core: Core, code: Coded) -> Step:
    """The step of shape HEAD_PRODUCT."""
    return _head_product(core, code, core.hm, core.hw.mlen, _transposed(code))


def head_row_product(core: Core, code: Coded) -> Step:
    """The step of shape HEAD_ROW_PRODUCT."""
    return _head_product(core, code, core.hv, 1, _transposed(code))


def block_write_out(core: Core, code: Coded) -> Step:
    """The step of shape BLOCK_WRITE_OUT."""
    return _block_write_out(core, code, core.m, core.hw.blen, code.get(isa.RS1))


def row_write_out(core: Core, code: Coded) -> Step:
    """The step of shape ROW_WRITE_OUT."""
    return _block_write_out(core, code, core.v, 1, stride=0)


def head_write_out(core: Core, code: Coded) -> Step:
    """The step of shape HEAD_WRITE_OUT."""
    return _head_write_out(core, code, core.hm, core.hw.mlen)


def head_row_write_out(core: Core, code: Coded) -> Step:
    """The step of shape HEAD_ROW_WRITE_OUT."""
    return _head_write_out(core, code, core.hv, 1)
