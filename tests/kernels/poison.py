"""What stands between two operators: every piece of state that they share holds something useless."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

from plena_ref.kernels.program import F0, GP0, Program
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region

#: An odd number, so that it is a misaligned address as well.
USELESS = 0x2_5A5B


def poison(p: Program, hw: Hardware, scratch: Iterable[Region]) -> None:
    """Every register, SCALE, STRIDE, V_MASK, and the words of `scratch`: NaN, or an address of nothing."""
    for region in scratch:
        _POISONERS[region.memory](p, hw, region)
    with ExitStack() as stack:
        floats = [stack.enter_context(p.fp("poison")) for _ in range(7)]
        for register in floats:
            _nan(p, register)
        bases = [stack.enter_context(p.hbm_base("poison")) for _ in range(8)]
        integers = [stack.enter_context(p.gp("poison")) for _ in range(15)]
        for register in integers:
            p.load_constant(register, USELESS)
        for base in bases:
            p.C_SET_ADDR_REG(base, integers[0], integers[0])
        for control in (p.C_SET_SCALE_REG, p.C_SET_STRIDE_REG, p.C_SET_V_MASK_REG):
            control(integers[0])


def _nan(p: Program, register: object) -> None:
    p.S_RECI_FP(register, F0)
    p.S_SUB_FP(register, register, register)


def _vram(p: Program, hw: Hardware, region: Region) -> None:
    """Whole rows: of a region that is part of one, nothing is poisoned that an operator owns."""
    first, last = -(-region.start // hw.mlen), region.stop // hw.mlen
    if first < last:
        with p.gp("row") as row, p.fp("NaN") as nan:
            _nan(p, nan)
            p.load_constant(row, first * hw.mlen)
            with p.repeat(last - first):
                p.V_ADD_VF(row, row, nan)
                p.add(row, row, hw.mlen)


def _fp_mem(p: Program, _hw: Hardware, region: Region) -> None:
    with p.gp("word") as word, p.fp("NaN") as nan:
        _nan(p, nan)
        p.load_constant(word, region.start)
        with p.repeat(region.stop - region.start):
            p.S_ST_FP(nan, word, 0)
            p.add(word, word, 1)


def _int_mem(p: Program, _hw: Hardware, region: Region) -> None:
    with p.gp("useless") as useless:
        p.load_constant(useless, USELESS)
        for word in range(region.start, region.stop):
            p.S_ST_INT(useless, GP0, word)


def _msram(p: Program, hw: Hardware, region: Region) -> None:
    """Tiles of HBM bytes below the tensors, which the host stages as NaN."""
    with p.hbm_base("nothing") as base, p.gp("tile") as tile, p.gp("offset") as offset:
        p.set_hbm_base(base, 0)
        p.load_constant(offset, 0)
        p.C_SET_SCALE_REG(offset)
        p.load_constant(tile, region.start)
        with p.repeat((region.stop - region.start) // hw.tile_elems):
            p.H_PREFETCH_M(tile, offset, base, 0, 0)
            p.add(tile, tile, hw.tile_elems)


_POISONERS = {"vram": _vram, "fpmem": _fp_mem, "intmem": _int_mem, "msram": _msram}
