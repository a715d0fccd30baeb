"""The state that the reference machine's instructions work on, and the address checks that several share."""

from __future__ import annotations

import numpy as np

from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.accumulators import BlockSums, HeadSums
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.state import (
    A_REGISTERS,
    F_REGISTERS,
    GP_REGISTERS,
    MemoryImages,
    Registers,
    WrittenMaps,
)


class Trap(Exception):
    """The instruction at hand must not take effect."""

    def __init__(self, cause: TrapCause) -> None:
        super().__init__(cause.name)
        self.cause = cause


class Core:
    """Registers, accumulators, loop stack, and the memories it was given.

    Attributes:
        hw: the shape.
        images: the memories; a run changes them in place.
        limit: HBM bytes at and past this address cannot be transferred.
        written: which memory elements runs have written since the machine was made.
        hbm_high_water: the highest HBM byte address written, or -1.
        rows, rows_written: VRAM and its record as rows [VRAM rows, MLEN].
        tiles, tiles_written: MSRAM and its record as tiles [tiles, MLEN, MLEN].
        row_bits: log2(MLEN).
        gp, f: registers and one more cell, which takes the writes to gp0 and f0.
        a, scale, stride, v_mask: the other registers.
        mask_row: V_MASK spread over the elements of a row, bool[MLEN].
        loops: open loops, (counter register, pc of the body).
        m, v, hm, hv: the accumulators.
    """

    def __init__(self, hw: Hardware, images: MemoryImages, limit: int | None = None) -> None:
        """Take `images` as the memories of a machine in its reset state. `limit` defaults to all of HBM.

        Raises:
            ValueError: an image does not fit `hw`, or `limit` lies outside 0..hbm_bytes.
        """
        images.check(hw)
        self.hw = hw
        self.images = images
        self.limit = hw.hbm_bytes if limit is None else limit
        if not 0 <= self.limit <= hw.hbm_bytes:
            raise ValueError(f"limit = {self.limit} lies outside 0..{hw.hbm_bytes} (HBM bytes)")
        self.written = WrittenMaps.nothing(hw)
        self.hbm_high_water = -1
        self.rows = images.vram.reshape(hw.vram_rows, hw.mlen)
        self.rows_written = self.written.vram.reshape(hw.vram_rows, hw.mlen)
        self.tiles = images.msram.reshape(hw.msram_tiles, hw.mlen, hw.mlen)
        self.tiles_written = self.written.msram.reshape(hw.msram_tiles, hw.mlen, hw.mlen)
        self.row_bits = hw.mlen.bit_length() - 1
        self.m, self.v = BlockSums(hw, hw.blen), BlockSums(hw, 1)
        self.hm, self.hv = HeadSums(hw, hw.mlen), HeadSums(hw, 1)
        self.reset()

    def reset(self) -> None:
        """Bring registers, accumulators and loop stack to their reset values; the memories stay."""
        self.gp = [0] * (GP_REGISTERS + 1)
        self.f = [0] * (F_REGISTERS + 1)
        self.a = [0] * A_REGISTERS
        self.scale = 0
        self.stride = 1
        self.set_v_mask(0)
        self.loops: list[tuple[int, int]] = []
        for sums in (self.m, self.v, self.hm, self.hv):
            sums.clear()

    @property
    def registers(self) -> Registers:
        """A copy of the architectural registers."""
        return Registers(
            gp=self.gp[:GP_REGISTERS],
            f=self.f[:F_REGISTERS],
            a=list(self.a),
            scale=self.scale,
            stride=self.stride,
            v_mask=self.v_mask,
        )

    def set_v_mask(self, value: int) -> None:
        """V_MASK = the lowest LANES bits of `value`."""
        lanes = self.hw.lanes
        self.v_mask = value & ((1 << lanes) - 1)
        selected = [bool(self.v_mask >> lane & 1) for lane in range(lanes)]
        self.mask_row = np.repeat(np.array(selected), self.hw.hlen)

    def first_row(self, address: int, rows: int) -> int:
        """Row number of an aligned VRAM `address` that begins `rows` existing rows.

        Raises:
            Trap: VRAM_MISALIGNED or VRAM_RANGE.
        """
        if address & (self.hw.mlen - 1):
            raise Trap(TrapCause.VRAM_MISALIGNED)
        row = address >> self.row_bits
        if row + rows > self.hw.vram_rows:
            raise Trap(TrapCause.VRAM_RANGE)
        return row

    def tile(self, address: int) -> int:
        """Number of the existing MSRAM tile that holds `address`.

        Raises:
            Trap: MSRAM_RANGE.
        """
        tile = address >> (2 * self.row_bits)
        if tile >= self.hw.msram_tiles:
            raise Trap(TrapCause.MSRAM_RANGE)
        return tile
