"""Random transfers between HBM and the memories on chip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plena_ref.isa.access import Count, Space
from plena_ref.isa.instructions import INSTRUCTIONS
from plena_ref.machine.hbm_format import HbmFormat
from tb.fuzz.memories import scales_from
from tb.fuzz.writer import Writer, of_shapes


@dataclass(frozen=True)
class Transfer:
    """The HBM side of a transfer: its format, a base, gp offset, SCALE, STRIDE and whether it is used."""

    form: HbmFormat
    base: int
    offset: int
    scale: int
    stride: int
    rstride: int

    def step(self, mlen: int) -> int:
        """Bytes from row to row."""
        return self.stride if self.rstride else self.form.row_bytes(mlen)


class Transfers(Writer):
    """Prefetches and stores; some repeat a recent one."""

    @cached_property
    def transfers(self) -> list[Transfer]:
        """Those written so far."""
        return []

    def transfer(self) -> None:
        """A prefetch or a store; some repeat a recent one, so that stored bytes are read back at once."""
        name = self.pick(of_shapes("PREFETCH_TILE", "PREFETCH_ROWS", "STORE_ROWS")).mnemonic
        chosen = self.choose_transfer(name)
        if chosen is None:
            return
        self.move(name, chosen)
        if name == "H_STORE_V" and self.chance(0.6):
            for again in ("H_PREFETCH_V", "H_PREFETCH_M"):
                if self.chance(0.5) and self.fits(chosen, again):
                    self.move(again, chosen)

    def rows_of(self, name: str) -> int:
        """Rows that transfer `name` moves."""
        shape = INSTRUCTIONS[name].shape
        count = next(access.count for access in shape.reads + shape.writes if access.space is Space.HBM)
        return {Count.MLEN: self.hw.mlen, Count.VPREF: self.hw.vpref, Count.VSTORE: self.hw.vstore}[count]

    def forms_of(self, name: str) -> list[HbmFormat]:
        """How the rows of transfer `name` lie in HBM, with precision 0 and with 1."""
        memory = "m" if name == "H_PREFETCH_M" else "v"
        return [self.hw.hbm_format(memory, precision) for precision in (0, 1)]

    def form_of(self, name: str) -> HbmFormat:
        """One of `forms_of`."""
        first, second = self.forms_of(name)
        return first if first == second else self.pick((first, second))

    def choose_transfer(self, name: str) -> Transfer | None:
        """A transfer below the limit that, for a store, does not overlap itself; None when none is found."""
        for _ in range(20):
            if self.control_frozen or (self.transfers and self.chance(0.5)):
                options = [
                    chosen for chosen in self.transfers if not self.control_frozen or self.is_set(chosen)
                ]
                if not options:
                    return None
                chosen = self.pick(options)
            else:
                chosen = self.new_transfer(name)
            if self.fits(chosen, name):
                self.transfers = [*self.transfers[-3:], chosen]
                return chosen
        return None

    def is_set(self, chosen: Transfer) -> bool:
        """True when the a registers, SCALE and STRIDE hold already what `chosen` needs."""
        stride_set = not chosen.rstride or self.stride == chosen.stride
        return chosen.base in self.a_known.values() and self.scale == chosen.scale and stride_set

    def new_transfer(self, name: str) -> Transfer:
        """A transfer anywhere in HBM; now and then one that ends exactly at the limit."""
        form, rows = self.form_of(name), self.rows_of(name)
        unit, row = form.alignment, form.row_bytes(self.hw.mlen)
        stride = self.pick((0, unit, row - unit, row, row + unit, row + 2 * unit, 2 * row))
        rstride = self.below(2)
        step = stride if rstride else row
        last_element = self.limit - ((rows - 1) * step + row)
        last_scale = self.limit - ((rows - 1) * form.scale_bytes(step) + form.scale_bytes(row))
        ebase = self.below(max(last_element, 0) // unit + 1) * unit
        sbase = self.below(max(last_scale, 0) + 1)
        scales = scales_from(self.limit)
        if last_scale >= scales and self.chance(0.8):
            sbase = scales + self.below(last_scale - scales + 1)
        edge = self.below(10)
        if edge == 0 and last_element % unit == 0:
            ebase = max(last_element, 0)
        elif edge == 1:
            sbase = max(last_scale, 0)
        offset = min(self.below(64) * unit, ebase)
        base = ebase - offset
        if base + form.scale_bytes(offset) > sbase:
            base, offset = offset, ebase - offset
        if form.bf16 and ebase + form.block <= last_element and self.chance(0.5):
            base += form.block
        return Transfer(form, base, offset, sbase - base - form.scale_bytes(offset), stride, rstride)

    def fits(self, chosen: Transfer, name: str) -> bool:
        """True when transfer `name` of `chosen` is legal, and defined if it is a store."""
        form, mlen = chosen.form, self.hw.mlen
        if chosen.scale < 0 or form not in self.forms_of(name):
            return False
        ebase = chosen.base + chosen.offset
        sbase = chosen.base + chosen.scale + form.scale_bytes(chosen.offset)
        row, step = np.arange(self.rows_of(name))[:, None], chosen.step(mlen)
        length = form.row_bytes(mlen)
        elements = (ebase + row * step + np.arange(length)).ravel()
        scales = (sbase + row * form.scale_bytes(step) + np.arange(form.scale_bytes(length))).ravel()
        touched = np.concatenate([elements, scales])
        if touched.max() >= self.limit:
            return False
        return name != "H_STORE_V" or np.unique(touched).size == touched.size

    def move(self, name: str, chosen: Transfer) -> None:
        """Bring the registers to what `chosen` needs, then emit the transfer `name`."""
        if chosen.rstride and self.stride != chosen.stride:
            self.emit("C_SET_STRIDE_REG", self.constant(chosen.stride))
            self.stride = chosen.stride
        if self.scale != chosen.scale:
            self.emit("C_SET_SCALE_REG", self.constant(chosen.scale))
            self.scale = chosen.scale
        a = self.a_holding(chosen.base)
        place = self.constant(self.tile()) if name == "H_PREFETCH_M" else self.window()
        offset = self.constant(chosen.offset, place)
        first, second = self.forms_of(name)
        precision = self.below(2) if first == second else (first, second).index(chosen.form)
        self.emit(name, place, offset, a, chosen.rstride, precision)

    def a_holding(self, base: int) -> int:
        """An a register that holds `base`."""
        holders = [register for register, held in self.a_known.items() if held == base]
        if holders:
            return self.pick(holders)
        register = self.below(8)
        self.emit("C_SET_ADDR_REG", register, 0, self.constant(base))
        self.a_known[register] = base
        return register
