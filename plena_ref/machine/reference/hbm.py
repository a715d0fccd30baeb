"""The HBM unit: transfers between HBM, as MXFP8, and MSRAM or VRAM."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.formats import row_bytes
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine import mx
from plena_ref.machine.reference.core import Core, Trap
from plena_ref.machine.reference.step import Coded, Step


def _transfer(core: Core, code: Coded, rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """HBM byte addresses of a transfer: of elements [rows, MLEN] and of scales [rows, MLEN/MX_BLOCK].

    Checks alignment, then that no byte lies at or past the limit.
    """
    mlen, block = core.hw.mlen, core.hw.mx_block
    base, offset = core.a[code.get(isa.RS2)], core.gp[code.get(isa.RS1)]
    row = row_bytes(mlen)
    stride = core.stride if code.get(isa.RS3) else row
    if base % block or offset % block or stride % block:
        raise Trap(TrapCause.HBM_MISALIGNED)
    first = base + offset
    first_scale = base + core.scale + offset // block
    end = first + (rows - 1) * stride + row
    scales_end = first_scale + (rows - 1) * (stride // block) + mlen // block
    if end > core.limit or scales_end > core.limit:
        raise Trap(TrapCause.HBM_ERROR)
    number = np.arange(rows, dtype=np.int64)[:, None]
    elements = first + number * stride + np.arange(row)
    scales = first_scale + number * (stride // block) + np.arange(mlen // block)
    return elements, scales


def _read_hbm(core: Core, code: Coded, rows: int) -> NDArray[np.uint16]:
    elements, scales = _transfer(core, code, rows)
    return mx.decode_rows(core.images.hbm[elements], core.images.hbm[scales])


def prefetch_tile(core: Core, code: Coded) -> Step:
    """The step of shape PREFETCH_TILE."""
    gp, destination, tile_elems = core.gp, code.get(isa.RD), core.hw.tile_elems

    def step() -> None:
        if gp[destination] % tile_elems:
            raise Trap(TrapCause.MSRAM_MISALIGNED)
        tile = core.tile(gp[destination])
        core.tiles[tile] = _read_hbm(core, code, core.hw.mlen)
        core.tiles_written[tile] = True

    return step


def prefetch_rows(core: Core, code: Coded) -> Step:
    """The step of shape PREFETCH_ROWS."""
    gp, destination, rows = core.gp, code.get(isa.RD), core.hw.vpref

    def step() -> None:
        row = core.first_row(gp[destination], rows)
        core.rows[row : row + rows] = _read_hbm(core, code, rows)
        core.rows_written[row : row + rows] = True

    return step


def store_rows(core: Core, code: Coded) -> Step:
    """The step of shape STORE_ROWS."""
    gp, source, rows = core.gp, code.get(isa.RD), core.hw.vstore
    hbm, written = core.images.hbm, core.written.hbm

    def step() -> None:
        row = core.first_row(gp[source], rows)
        element_at, scale_at = _transfer(core, code, rows)
        elements, scales = mx.encode_rows(core.rows[row : row + rows], core.hw.mx_block)
        for n in range(rows):
            hbm[element_at[n]] = elements[n]
            hbm[scale_at[n]] = scales[n]
        written[element_at] = True
        written[scale_at] = True
        core.hbm_high_water = max(core.hbm_high_water, int(element_at[-1, -1]), int(scale_at[-1, -1]))

    return step
