"""The HBM unit: transfers between HBM, as MXFP8 or bf16, and MSRAM or VRAM."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.hbm_format import HbmFormat
from plena_ref.machine.reference.core import Core, Trap
from plena_ref.machine.reference.step import Coded, Step


def _transfer(
    core: Core, code: Coded, form: HbmFormat, rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """HBM byte addresses of a transfer: of elements [rows, row bytes] and of scales [rows, scales of a row].

    Checks alignment, then that no byte lies at or past the limit.
    """
    base, offset = core.a[code.get(isa.RS2)], core.gp[code.get(isa.RS1)]
    row = form.row_bytes(core.hw.mlen)
    stride = core.stride if code.get(isa.RS3) else row
    if base % form.block or offset % form.alignment or stride % form.alignment:
        raise Trap(TrapCause.HBM_MISALIGNED)
    first, row_scales = base + offset, form.scale_bytes(row)
    first_scale, scale_stride = base + core.scale + form.scale_bytes(offset), form.scale_bytes(stride)
    end = first + (rows - 1) * stride + row
    scales_end = first_scale + (rows - 1) * scale_stride + row_scales if row_scales else 0
    if end > core.limit or scales_end > core.limit:
        raise Trap(TrapCause.HBM_ERROR)
    number = np.arange(rows, dtype=np.int64)[:, None]
    elements = first + number * stride + np.arange(row)
    return elements, first_scale + number * scale_stride + np.arange(row_scales)


def _read_hbm(core: Core, code: Coded, form: HbmFormat, rows: int) -> NDArray[np.uint16]:
    elements, scales = _transfer(core, code, form, rows)
    return form.decode(core.images.hbm[elements], core.images.hbm[scales])


def prefetch_tile(core: Core, code: Coded) -> Step:
    """The step of shape PREFETCH_TILE."""
    gp, destination, tile_elems = core.gp, code.get(isa.RD), core.hw.tile_elems
    form = core.hw.hbm_format("m", code.get(isa.FUNCT1))

    def step() -> None:
        if gp[destination] % tile_elems:
            raise Trap(TrapCause.MSRAM_MISALIGNED)
        tile = core.tile(gp[destination])
        core.tiles[tile] = _read_hbm(core, code, form, core.hw.mlen)
        core.tiles_written[tile] = True

    return step


def prefetch_rows(core: Core, code: Coded) -> Step:
    """The step of shape PREFETCH_ROWS."""
    gp, destination, rows = core.gp, code.get(isa.RD), core.hw.vpref
    form = core.hw.hbm_format("v", code.get(isa.FUNCT1))

    def step() -> None:
        row = core.first_row(gp[destination], rows)
        core.rows[row : row + rows] = _read_hbm(core, code, form, rows)
        core.rows_written[row : row + rows] = True

    return step


def store_rows(core: Core, code: Coded) -> Step:
    """The step of shape STORE_ROWS."""
    gp, source, rows = core.gp, code.get(isa.RD), core.hw.vstore
    hbm, written = core.images.hbm, core.written.hbm
    form = core.hw.hbm_format("v", code.get(isa.FUNCT1))

    def step() -> None:
        row = core.first_row(gp[source], rows)
        element_at, scale_at = _transfer(core, code, form, rows)
        elements, scales = form.encode(core.rows[row : row + rows])
        for n in range(rows):
            hbm[element_at[n]] = elements[n]
            hbm[scale_at[n]] = scales[n]
        written[element_at] = True
        written[scale_at] = True
        last = (int(part[-1, -1]) for part in (element_at, scale_at) if part.size)
        core.hbm_high_water = max(core.hbm_high_water, *last)

    return step
