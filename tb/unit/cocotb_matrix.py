"""Matrix unit against a sequential float32 model: random programs, random stalls, rates, start, flush.

The bench plays the scoreboard (slots become ready after random delays), the VRAM ports (grants withheld at
random; data valid for one cycle only) and MSRAM. The model walks the program in order: every multiply and
every add is one numpy float32 step, in the order that the instruction set prescribes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import bf16_data
import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer
from numpy.typing import NDArray

from plena_ref import numerics
from tb.simulate import parameter

M_MM, M_TMM, M_MM_WO = range(3)
ROWS = 64  # VRAM rows
TILES = 2
POISON = 0xFFA5


@dataclass
class Instruction:
    """One payload; `row` and `stride` in VRAM rows, `offset` a column or row (write-out: a column)."""

    op: int
    row: int = 0
    stride: int = 0
    tile: int = 0
    offset: int = 0
    slot: int = -1
    ready_at: int = 0  # cycle before which the scoreboard keeps it back
    done: int = -1  # cycle of slot_done


@dataclass(frozen=True)
class Write:
    """One accepted row of the write port: VRAM row, first column, raw bf16 of BLEN columns."""

    row: int
    column: int
    words: tuple[int, ...]


class Model:
    """The accumulators, one instruction at a time."""

    def __init__(self, vram: NDArray[np.uint16], tiles: NDArray[np.uint16], blen: int, mlen: int) -> None:
        self.vram = numerics.bf16_to_f32(vram)
        self.tiles = numerics.bf16_to_f32(tiles)
        self.blen, self.mlen = blen, mlen
        self.clear()

    def clear(self) -> None:
        """All accumulators become +0: float32[P][BLEN][BLEN]."""
        self.sums = np.zeros((self.mlen // self.blen, self.blen, self.blen), dtype=np.float32)

    def run(self, instruction: Instruction) -> list[Write]:
        """Execute; the rows that the instruction writes, in order."""
        blen, offset = self.blen, instruction.offset
        if instruction.op == M_MM_WO:
            result = numerics.f32_to_bf16(numerics.tree_sum(np.moveaxis(self.sums, 0, -1).copy()))
            self.clear()
            rows = [(instruction.row + i * instruction.stride) % ROWS for i in range(blen)]
            return [Write(row, offset, tuple(result[i].tolist())) for i, row in enumerate(rows)]
        left = self.vram[instruction.row : instruction.row + blen]
        tile = self.tiles[instruction.tile]
        right = (tile if instruction.op == M_MM else tile.T)[:, offset : offset + blen]
        for mini in range(self.mlen // blen):
            for k in range(mini * blen, (mini + 1) * blen):
                product = numerics.f32_mul(left[:, k : k + 1], right[k : k + 1, :])
                self.sums[mini] = numerics.f32_add(self.sums[mini], product)
        return []


@dataclass
class Weather:
    """How often things happen in a cycle, as probabilities; `delay`: most cycles until a slot is ready."""

    push: float = 1.0
    read: float = 1.0
    write: float = 1.0
    delay: int = 0


class Bench:
    """Drives one matrix unit; `cycle` counts clock cycles, `writes` holds the accepted rows."""

    def __init__(self, dut: object, rng: random.Random) -> None:
        self.dut = dut
        self.rng = rng
        self.mlen, self.blen, self.slots = (parameter(name) for name in ("MLEN", "BLEN", "Q"))
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
        for name in ("flush", "init", "push", "push_op", "push_row", "push_stride", "push_tile", "push_off"):
            getattr(dut, name).value = 0
        for name in ("slot_ready", "rd_gnt", "rd_data", "ms_rd_data", "wr_gnt"):
            getattr(dut, name).value = 0
        dut.rst.value = 1
        cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
        for _ in range(3):
            await FallingEdge(dut.clk)
        dut.rst.value = 0

    async def step(self, weather: Weather) -> None:
        """One clock cycle: drive in the low phase, look at the settled outputs before the rising edge."""
        dut, rng = self.dut, self.rng
        await FallingEdge(dut.clk)
        self.cycle += 1
        ready = 0
        for slot, instruction in self.live.items():
            if instruction.ready_at <= self.cycle and not self.never_ready:
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
            row, index = int(dut.rd_row.value), int(dut.ms_rd_idx.value)
            tile = self.tiles[int(dut.ms_rd_tile.value)]
            vector = tile[:, index] if dut.ms_rd_col.value else tile[index]
            self.operand = bf16_data.pack(self.vram[row]), bf16_data.pack(vector)
        if write and dut.wr_req.value:
            self._take_row()
        assert int(dut.slot_rd_done.value) == 0
        done = int(dut.slot_done.value)
        for slot in [slot for slot in range(self.slots) if done >> slot & 1]:
            assert ready >> slot & 1, f"slot {slot} is done and was not ready"
            self.live.pop(slot).done = self.cycle
        if pushed is not None:
            pushed.slot = self.next_slot
            pushed.ready_at = self.cycle + 1 + rng.randint(0, weather.delay)
            self.live[pushed.slot] = pushed
            self.next_slot = (self.next_slot + 1) % self.slots

    def _take_row(self) -> None:
        dut, blen = self.dut, self.blen
        mask = int(dut.wr_mask.value)
        assert mask and mask & (mask - 1) == 0, f"mask {mask:x} must have one bit"
        column = (mask.bit_length() - 1) * blen
        words = bf16_data.unpack(int(dut.wr_data.value), self.mlen)[column : column + blen]
        self.writes.append(Write(int(dut.wr_row.value), column, tuple(words.tolist())))
        self.write_cycles.append(self.cycle)

    async def run(self, program: list[Instruction], weather: Weather) -> None:
        """Run a program to the last slot_done."""
        self.waiting = list(program)
        limit = self.cycle + 400 + len(program) * (self.blen + weather.delay + 4) * 40
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

    def product(self) -> Instruction:
        """A random M_MM or M_TMM."""
        rng = self.rng
        return Instruction(
            op=rng.choice((M_MM, M_TMM)),
            row=rng.randrange(ROWS - self.blen + 1),
            tile=rng.randrange(TILES),
            offset=rng.randrange(self.mlen // self.blen) * self.blen,
        )

    def write_out(self) -> Instruction:
        """A random M_MM_WO."""
        rng = self.rng
        return Instruction(
            op=M_MM_WO,
            row=rng.randrange(ROWS),
            stride=rng.choice((0, 1, 1, 3, ROWS - 1)),
            offset=rng.randrange(self.mlen // self.blen) * self.blen,
        )


async def fresh_bench(dut: object, seed: int) -> Bench:
    """A bench after reset."""
    bench = Bench(dut, random.Random(seed))
    await bench.reset()
    return bench


async def check(bench: Bench, program: list[Instruction], weather: Weather) -> None:
    """Run a program and compare every row written with the model, in order."""
    model = Model(bench.vram, bench.tiles, bench.blen, bench.mlen)
    expected = [write for instruction in program for write in model.run(instruction)]
    bench.writes.clear()
    bench.write_cycles.clear()
    await bench.run(program, weather)
    assert len(bench.writes) == len(expected)
    for index, (got, want) in enumerate(zip(bench.writes, expected, strict=True)):
        assert got == want, f"row {index % bench.blen} of write-out {index // bench.blen}: {got}, not {want}"
    for kind in ((M_MM, M_TMM), (M_MM_WO,)):
        order = [instruction.done for instruction in program if instruction.op in kind]
        assert order == sorted(order), "instructions of one kind must finish in order"


WEATHERS = (
    Weather(),
    Weather(read=0.5),
    Weather(write=0.3),
    Weather(push=0.3, read=0.8, write=0.8, delay=10),
    Weather(read=0.1, write=0.9, delay=3),
    Weather(read=0.9, write=0.08),
)


@cocotb.test()
@cocotb.parametrize(weather=range(len(WEATHERS)))
async def random_programs(dut: object, weather: int) -> None:
    """Products and write-outs in any order, also several write-outs in a row."""
    bench = await fresh_bench(dut, 100 + weather)
    rng = bench.rng
    for data in range(3):
        bench.fill(lambda: bf16_data.random_row(rng, bench.mlen))
        if data == 1:
            bench.cancel()
        share = rng.choice((0.2, 0.5, 0.7))
        program = [bench.write_out() if rng.random() < share else bench.product() for _ in range(24)] + [
            bench.write_out()
        ]
        await check(bench, program, WEATHERS[weather])


@cocotb.test()
async def accumulation_order(dut: object) -> None:
    """Sums that are exactly zero but for rounding; data for which another order gives another result."""
    bench = await fresh_bench(dut, 7)
    rng = bench.rng
    bench.fill(
        lambda: numerics.bf16_from_float(
            [rng.gauss(0, 1) * 2 ** rng.randint(-6, 6) for _ in range(bench.mlen)]
        )
    )
    bench.cancel()
    program = []
    for op, tile in ((M_MM, 0), (M_TMM, 1)) * 3:
        for _ in range(3):
            program.append(Instruction(op, rng.randrange(ROWS - bench.blen + 1), 0, tile, 0))
        program.append(bench.write_out())
    model = Model(bench.vram, bench.tiles, bench.blen, bench.mlen)
    forward = [write for instruction in program for write in model.run(instruction)]
    turned = Model(bench.vram[:, ::-1], bench.tiles[:, ::-1, ::-1], bench.blen, bench.mlen)
    last = bench.mlen - bench.blen
    backward = [
        write
        for item in program
        for write in turned.run(
            item if item.op == M_MM_WO else Instruction(item.op, item.row, 0, item.tile, last)
        )
    ]
    differ = sum(one.words != two.words[::-1] for one, two in zip(forward, backward, strict=True))
    assert differ > len(forward) // 4, "the data must tell orders apart"
    await check(bench, program, Weather())


@cocotb.test()
async def products_every_blen_cycles(dut: object) -> None:
    """Products back to back from a filled queue start, and so finish to read, every BLEN cycles."""
    bench = await fresh_bench(dut, 1)
    bench.fill(lambda: bf16_data.random_row(bench.rng, bench.mlen))
    program = [bench.product() for _ in range(20)] + [bench.write_out()]
    await check(bench, program, Weather())
    gaps = {two.done - one.done for one, two in pairwise(program[1:20])}
    assert gaps == {bench.blen}, f"cycles from one product to the next: {gaps}"


@cocotb.test()
async def alternating_every_blen_cycles(dut: object) -> None:
    """M_MM, M_MM_WO, M_MM, M_MM_WO: a pair every BLEN cycles, once the queue holds what is in flight."""
    bench = await fresh_bench(dut, 2)
    bench.fill(lambda: bf16_data.random_row(bench.rng, bench.mlen))
    program = [make() for _ in range(24) for make in (bench.product, bench.write_out)]
    await check(bench, program, Weather())
    done = [instruction.done for instruction in program if instruction.op == M_MM_WO]
    gaps = [two - one for one, two in pairwise(done[4:])]
    latency = done[0] - program[0].done
    dut._log.info(
        "M_MM read to last row of its write-out: %d cycles; pairs every %s cycles", latency, set(gaps)
    )
    if bench.slots >= (16 if bench.blen == 4 else 8):
        assert set(gaps) == {bench.blen}, f"cycles from one pair to the next: {gaps}"
        assert bench.write_cycles[-1] - bench.write_cycles[4 * bench.blen] == (20 * bench.blen - 1)


@cocotb.test()
async def start_clears_the_sums(dut: object) -> None:
    """`init` after products without a write-out, at once or later: the next result starts from +0."""
    bench = await fresh_bench(dut, 3)
    bench.fill(lambda: bf16_data.random_row(bench.rng, bench.mlen))
    for wait in (0, 1, bench.blen, 4 * bench.blen):
        for program in ([bench.write_out()], [bench.product(), bench.write_out()]):
            await bench.run([bench.product(), bench.write_out(), bench.product(), bench.product()], Weather())
            for _ in range(wait):
                await bench.step(Weather())
            dut.init.value = 1
            dut.flush.value = 1
            await bench.step(Weather())
            dut.init.value = 0
            dut.flush.value = 0
            await check(bench, program, Weather())


@cocotb.test()
async def flush_drops_what_was_not_issued(dut: object) -> None:
    """Slots that never became ready are dropped, and later programs run; the sums stay without `init`."""
    bench = await fresh_bench(dut, 4)
    bench.fill(lambda: bf16_data.random_row(bench.rng, bench.mlen))
    kept = bench.product()
    await bench.run([kept], Weather())
    for count in (1, 2, bench.slots):
        bench.never_ready = True
        bench.waiting = [
            bench.product() if bench.rng.random() < 0.5 else bench.write_out() for _ in range(count)
        ]
        for _ in range(count + 4):
            await bench.step(Weather())
        assert not bench.waiting and len(bench.live) == count
        bench.live.clear()
        bench.never_ready = False
        dut.flush.value = 1
        await bench.step(Weather())
        dut.flush.value = 0
        for _ in range(6 * bench.blen):
            await bench.step(Weather())
    assert not bench.writes, "a dropped write-out wrote"
    model = Model(bench.vram, bench.tiles, bench.blen, bench.mlen)
    program = [bench.product(), bench.write_out(), bench.product(), bench.write_out()]
    expected = [write for instruction in [kept, *program] for write in model.run(instruction)]
    await bench.run(program, Weather())
    assert bench.writes == expected
