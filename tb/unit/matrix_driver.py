"""What surrounds the matrix unit: the scoreboard, the ports of VRAM and MSRAM, and random stalls of each."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from cocotb.triggers import FallingEdge, Timer
from numpy.typing import NDArray

from tb.engine.dut import Dut
from tb.engine.simulate import parameter
from tb.unit import bf16_data
from tb.unit.matrix_model import (
    HEAD,
    POISON,
    ROWS,
    SINGLE,
    TILES,
    WRITE_OUT,
    Instruction,
    Write,
)
from tb.unit.reset import reset


@dataclass
class Weather:
    """How often things happen in a cycle, as probabilities; `delay`: most cycles until a slot is ready."""

    push: float = 1.0
    read: float = 1.0
    write: float = 1.0
    delay: int = 0


class Bench:
    """Drives one matrix unit; `cycle` counts clock cycles, `writes` holds the accepted rows."""

    def __init__(self, dut: Dut, rng: random.Random) -> None:
        self.dut = dut
        self.rng = rng
        self.mlen, self.blen, self.hlen, self.slots = (
            parameter(name) for name in ("MLEN", "BLEN", "HLEN", "Q")
        )
        self.vram = np.zeros((ROWS, self.mlen), dtype=np.uint16)
        self.tiles = np.zeros((TILES, self.mlen, self.mlen), dtype=np.uint16)
        self.cycle = 0
        self.next_slot = 0
        self.waiting: list[Instruction] = []
        self.live: dict[int, Instruction] = {}
        self.writes: list[Write] = []
        self.write_cycles: list[int] = []
        self.poison = bf16_data.pack(np.full(self.mlen, POISON, dtype=np.uint16))
        self.operand: tuple[int, int] | None = None
        self.never_ready = False

    async def reset(self) -> None:
        """Start the clock and reset the unit."""
        dut = self.dut
        pushed = ("push", "push_op", "push_row", "push_stride", "push_tile", "push_off")
        answers = ("slot_ready", "rd_gnt", "rd_data", "ms_rd_data", "wr_gnt")
        await reset(dut, ("flush", "init", *pushed, *answers), cycles=3)

    async def step(self, weather: Weather) -> None:
        """One clock cycle: drive in the low phase, look at the settled outputs before the rising edge."""
        dut, rng = self.dut, self.rng
        await FallingEdge(dut.clk)
        self.cycle += 1
        ready = 0
        for slot, instruction in self.live.items():
            if instruction.hold_until <= self.cycle and not self.never_ready:
                ready |= 1 << slot
        dut.slot_ready.value = ready
        pushed = None
        if self.waiting and self.next_slot not in self.live and rng.random() < weather.push:
            pushed = self.waiting.pop(0)
            dut.push_op.value = pushed.op
            dut.push_row.value = pushed.row
            dut.push_stride.value = pushed.stride
            dut.push_tile.value = pushed.tile
            dut.push_off.value = pushed.offset
        dut.push.value = pushed is not None
        read, write = rng.random() < weather.read, rng.random() < weather.write
        dut.rd_gnt.value, dut.wr_gnt.value = read, write
        dut.rd_data.value, dut.ms_rd_data.value = self.operand or (self.poison, self.poison)
        await Timer(1, "ns")

        self.operand = None
        if read and dut.rd_req.value:
            assert dut.ms_rd_en.value == 1, "the tile must be read with the row"
        if dut.ms_rd_en.value:
            # All pairs but the first of a pass with one row come without a row.
            with_row = bool(dut.rd_req.value)
            assert read or not with_row, "the row was not granted"
            index, tile = int(dut.ms_rd_idx.value), self.tiles[int(dut.ms_rd_tile.value)]
            vector = tile[:, index] if dut.ms_rd_col.value else tile[index]
            row = bf16_data.pack(self.vram[int(dut.rd_row.value)]) if with_row else self.poison
            self.operand = row, bf16_data.pack(vector)
        if write and dut.wr_req.value:
            self._take_row()
        assert int(dut.slot_rd_done.value) == 0
        done = int(dut.slot_done.value)
        for slot in [slot for slot in range(self.slots) if done >> slot & 1]:
            assert ready >> slot & 1, f"slot {slot} is done and was not ready"
            self.live.pop(slot).done = self.cycle
        if pushed is not None:
            pushed.slot = self.next_slot
            pushed.hold_until = self.cycle + 1 + rng.randint(0, weather.delay)
            self.live[pushed.slot] = pushed
            self.next_slot = (self.next_slot + 1) % self.slots

    def _take_row(self) -> None:
        dut, blen = self.dut, self.blen
        mask = int(dut.wr_mask.value)
        column, size = (mask.bit_length() - 1) * blen, blen
        if mask & (mask - 1):
            assert mask == (1 << self.mlen // blen) - 1, f"mask {mask:x} must have one bit, or all"
            column, size = 0, self.mlen
        words = bf16_data.unpack(int(dut.wr_data.value), self.mlen)[column : column + size]
        self.writes.append(Write(int(dut.wr_row.value), column, tuple(words.tolist())))
        self.write_cycles.append(self.cycle)

    async def run(self, program: list[Instruction], weather: Weather) -> None:
        """Run a program to the last slot_done."""
        self.waiting = list(program)
        longest = self.mlen * max(self.mlen // self.blen, self.mlen // self.hlen)
        heads = sum(instruction.sums == HEAD for instruction in program)
        limit = self.cycle + 400 + (len(program) * (self.mlen + weather.delay + 4) + heads * longest) * 40
        while self.waiting or self.live:
            await self.step(weather)
            assert self.cycle < limit, "the unit hangs"

    def fill(self, row: Callable[[], NDArray[np.uint16]]) -> None:
        """Fill VRAM and the tiles, row by row."""
        for index in range(ROWS):
            self.vram[index] = row()
        for tile in self.tiles:
            for index in range(self.mlen):
                tile[index] = row()

    def cancel(self) -> None:
        """Make pairs of taps cancel exactly (M_MM in tile 0, M_TMM in tile 1): only rounding is left."""
        order = self.rng.sample(range(self.mlen), self.mlen)
        for one, two in zip(order[::2], order[1::2], strict=True):
            self.vram[:, two] = self.vram[:, one]
            self.tiles[0, two, :] = self.tiles[0, one, :] ^ 0x8000
            self.tiles[1, :, two] = self.tiles[1, :, one] ^ 0x8000

    def product(self, sums: int = 0) -> Instruction:
        """A random product into the accumulators `sums`."""
        rng, blen = self.rng, self.hlen if sums & HEAD else self.blen
        rows = 1 if sums & SINGLE else self.mlen if sums & HEAD else self.blen
        return Instruction(
            op=sums | rng.randrange(2),
            row=rng.randrange(ROWS - rows + 1),
            tile=rng.randrange(TILES),
            offset=rng.randrange(self.mlen // blen) * blen,
        )

    def write_out(self, sums: int = 0) -> Instruction:
        """A random write-out of the accumulators `sums`."""
        rng = self.rng
        return Instruction(
            op=sums | WRITE_OUT,
            row=rng.randrange(ROWS),
            stride=1 if sums else rng.choice((0, 1, 1, 3, ROWS - 1)),
            offset=0 if sums & HEAD else rng.randrange(self.mlen // self.blen) * self.blen,
        )

    def program(self, mix: dict[int, int], length: int, share: float) -> list[Instruction]:
        """`length` random instructions, `share` of them write-outs, and a write-out of everything.

        `mix` gives the weight of each kind of accumulators.
        """
        program = []
        for _ in range(length):
            sums = self.rng.choices(list(mix), list(mix.values()))[0]
            program.append(self.write_out(sums) if self.rng.random() < share else self.product(sums))
        return program + [self.write_out(sums) for sums in mix]
