"""Matrix unit against a sequential float32 model: random programs, random stalls, rates, start, flush.

The bench plays the scoreboard (slots become ready after random delays), the VRAM ports (grants withheld at
random; data valid for one cycle only) and MSRAM. The model walks the program in order: every multiply and
every add is one numpy float32 step, in the order that the instruction set prescribes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import bf16_data
import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer
from numpy.typing import NDArray

from plena_ref.machine import numerics
from tb.engine.simulate import parameter

# Operation codes of the unit: {per-head, one row, write-out, transposed tile}.
M_MM, M_TMM, M_MM_WO = 0, 1, 2
M_MV, M_TMV, M_MV_WO = 4, 5, 6
M_BMM, M_BTMM, M_BMM_WO = 8, 9, 10
M_BMV, M_BTMV, M_BMV_WO = 12, 13, 14
TRANSPOSED, WRITE_OUT, SINGLE, HEAD = 1, 2, 4, 8
ROWS = 64  # VRAM rows
TILES = 2
POISON = 0xFFA5


@dataclass
class Instruction:
    """One payload; `row` and `stride` in VRAM rows, `offset` a column or row, or the first tap of a head."""

    op: int
    row: int = 0
    stride: int = 0
    tile: int = 0
    offset: int = 0
    slot: int = -1
    ready_at: int = 0  # cycle before which the scoreboard keeps it back
    done: int = -1  # cycle of slot_done

    @property
    def sums(self) -> int:
        """Its accumulators: SINGLE and HEAD bits of the operation."""
        return self.op & (SINGLE | HEAD)


@dataclass(frozen=True)
class Write:
    """One accepted row of the write port: row, first column, raw bf16 of BLEN columns or of the whole row."""

    row: int
    column: int
    words: tuple[int, ...]


def tree_sum(terms: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The sum of a power of two of arrays: balanced binary tree, neighbours first, one flushed add a node."""
    while len(terms) > 1:
        terms = [numerics.f32_add(one, two) for one, two in zip(terms[::2], terms[1::2], strict=True)]
    return terms[0]


class Model:
    """The accumulators, one instruction at a time."""

    def __init__(self, vram: NDArray[np.uint16], tiles: NDArray[np.uint16], blen: int, hlen: int) -> None:
        self.vram = numerics.bf16_to_f32(vram)
        self.tiles = numerics.bf16_to_f32(tiles)
        self.mlen = vram.shape[1]
        self.blen, self.hlen = blen, hlen
        self.lanes = self.mlen // hlen
        self.clear()

    def clear(self) -> None:
        """All accumulators become +0."""
        self.sums: dict[int, NDArray[np.float32]] = {}
        for sums in (0, SINGLE, HEAD, HEAD | SINGLE):
            self._clear(sums)

    def _clear(self, sums: int) -> None:
        rows = self.rows(sums)
        mini_arrays = (self.mlen // self.blen, rows, self.blen)
        heads = (self.lanes, rows, self.mlen)
        self.sums[sums] = np.zeros(heads if sums & HEAD else mini_arrays, dtype=np.float32)

    def rows(self, op: int) -> int:
        """VRAM rows that a product reads, and result rows of a write-out (per head)."""
        return 1 if op & SINGLE else self.mlen if op & HEAD else self.blen

    def run(self, instruction: Instruction) -> list[Write]:
        """Execute; the rows that the instruction writes, in order."""
        op = instruction.op
        if op & WRITE_OUT:
            return self._write_out(instruction)
        left = self.vram[instruction.row : instruction.row + self.rows(op)]
        tile = self.tiles[instruction.tile]
        right = tile.T if op & TRANSPOSED else tile  # taps by columns
        if op & HEAD:
            self._heads(instruction, left, right[instruction.offset : instruction.offset + self.hlen])
            return []
        sums, blen = self.sums[instruction.sums], self.blen
        for mini in range(self.mlen // blen):
            for k in range(mini * blen, (mini + 1) * blen):
                columns = right[k : k + 1, instruction.offset : instruction.offset + blen]
                sums[mini] = numerics.f32_add(sums[mini], numerics.f32_mul(left[:, k : k + 1], columns))
        return []

    def _heads(self, instruction: Instruction, left: NDArray[np.float32], right: NDArray[np.float32]) -> None:
        """One per-head product: `left` [rows, MLEN], `right` [HLEN, MLEN]."""
        sums, hlen, group = self.sums[instruction.sums], self.hlen, min(self.blen, self.hlen)
        for head in range(self.lanes):
            groups = []
            for first in range(0, hlen, group):
                total = np.zeros((len(left), self.mlen), dtype=np.float32)
                for d in range(first, first + group):
                    lane = head * hlen + d if instruction.op & TRANSPOSED else d * self.lanes + head
                    product = numerics.f32_mul(left[:, lane : lane + 1], right[d : d + 1])
                    total = numerics.f32_add(total, product)
                groups.append(total)
            sums[head] = numerics.f32_add(sums[head], tree_sum(groups))

    def _write_out(self, instruction: Instruction) -> list[Write]:
        sums, column = self.sums[instruction.sums], instruction.offset
        if instruction.op & HEAD:
            result, stride, column = numerics.f32_to_bf16(sums).reshape(-1, self.mlen), 1, 0
        else:
            result, stride = numerics.f32_to_bf16(tree_sum(list(sums))), instruction.stride
        self._clear(instruction.sums)
        rows = [(instruction.row + i * stride) % ROWS for i in range(len(result))]
        return [Write(row, column, tuple(result[i].tolist())) for i, row in enumerate(rows)]


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
            pushed.ready_at = self.cycle + 1 + rng.randint(0, weather.delay)
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


async def fresh_bench(dut: object, seed: int) -> Bench:
    """A bench after reset."""
    bench = Bench(dut, random.Random(seed))
    await bench.reset()
    return bench


async def check(bench: Bench, program: list[Instruction], weather: Weather) -> None:
    """Run a program and compare every row written with the model, in order."""
    model = Model(bench.vram, bench.tiles, bench.blen, bench.hlen)
    expected = [write for instruction in program for write in model.run(instruction)]
    bench.writes.clear()
    bench.write_cycles.clear()
    await bench.run(program, weather)
    assert len(bench.writes) == len(expected)
    for index, (got, want) in enumerate(zip(bench.writes, expected, strict=True)):
        assert got == want, f"row {index} of all write-outs: {got}, not {want}"
    for kind in (0, WRITE_OUT):
        order = [instruction.done for instruction in program if instruction.op & WRITE_OUT == kind]
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
        await check(bench, bench.program({0: 1}, 24, share), WEATHERS[weather])


EVERYTHING = {0: 4, SINGLE: 4, HEAD | SINGLE: 4, HEAD: 1}


@cocotb.test()
@cocotb.parametrize(weather=range(len(WEATHERS)))
async def random_programs_of_everything(dut: object, weather: int) -> None:
    """All four kinds of accumulators, interleaved at random."""
    bench = await fresh_bench(dut, 200 + weather)
    rng = bench.rng
    for data in range(2):
        bench.fill(lambda: bf16_data.random_row(rng, bench.mlen))
        if data == 1:
            bench.cancel()
        share = rng.choice((0.2, 0.5))
        await check(bench, bench.program(EVERYTHING, 16, share), WEATHERS[weather])


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
    model = Model(bench.vram, bench.tiles, bench.blen, bench.hlen)
    forward = [write for instruction in program for write in model.run(instruction)]
    turned = Model(bench.vram[:, ::-1], bench.tiles[:, ::-1, ::-1], bench.blen, bench.hlen)
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
@cocotb.parametrize(sums=(SINGLE, HEAD | SINGLE, HEAD))
async def rates_of_other_products(dut: object, sums: int) -> None:
    """M_MV every BLEN cycles; M_BMV and M_BMM one pass of BLEN cycles a block and head of a mini-array."""
    bench = await fresh_bench(dut, 5)
    bench.fill(lambda: bf16_data.random_row(bench.rng, bench.mlen))
    passes = 1
    if sums & HEAD:
        blocks = bench.mlen // bench.blen
        passes = blocks * max(1, bench.blen // bench.hlen) * (1 if sums & SINGLE else blocks)
    program = [bench.product(sums) for _ in range(5)] + [bench.write_out(sums)]
    await check(bench, program, Weather())
    gaps = {two.done - one.done for one, two in pairwise(program[1:5])}
    assert gaps == {passes * bench.blen}, f"cycles from one product to the next: {gaps}"
    if sums & HEAD:
        rows = {two - one for one, two in pairwise(bench.write_cycles)}
        assert rows <= {max(1, bench.hlen // bench.blen)}, f"cycles from one result row to the next: {rows}"


@cocotb.test()
async def alternating_rows_every_blen_cycles(dut: object) -> None:
    """M_MV, M_MV_WO, M_MV, M_MV_WO: as with M_MM."""
    bench = await fresh_bench(dut, 6)
    bench.fill(lambda: bf16_data.random_row(bench.rng, bench.mlen))
    program = [make(SINGLE) for _ in range(16) for make in (bench.product, bench.write_out)]
    await check(bench, program, Weather())
    gaps = {two - one for one, two in pairwise(bench.write_cycles[4:])}
    if bench.slots >= (16 if bench.blen == 4 else 8):
        assert gaps == {bench.blen}, f"cycles from one pair to the next: {gaps}"


@cocotb.test()
@cocotb.parametrize(sums=tuple(EVERYTHING))
async def start_clears_the_sums(dut: object, sums: int) -> None:
    """`init` after products without a write-out, at once or later: the next result starts from +0."""
    bench = await fresh_bench(dut, 3)
    bench.fill(lambda: bf16_data.random_row(bench.rng, bench.mlen))
    product, write_out = partial(bench.product, sums), partial(bench.write_out, sums)
    for wait in (0, 1, bench.blen, 4 * bench.blen):
        for program in ([write_out()], [product(), write_out()]):
            await bench.run([product(), write_out(), product(), product()], Weather())
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
        bench.waiting = bench.program(EVERYTHING, count, 0.5)[:count]
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
    model = Model(bench.vram, bench.tiles, bench.blen, bench.hlen)
    program = [bench.product(), bench.write_out(), bench.product(), bench.write_out()]
    expected = [write for instruction in [kept, *program] for write in model.run(instruction)]
    await bench.run(program, Weather())
    assert bench.writes == expected
