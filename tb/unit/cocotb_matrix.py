"""Matrix unit against a sequential float32 model: random programs, random stalls, rates, start, flush.

The bench plays the scoreboard (slots become ready after random delays), the VRAM ports (grants withheld at
random; data valid for one cycle only) and MSRAM. The model walks the program in order: every multiply and
every add is one numpy float32 step, in the order that the instruction set prescribes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import cocotb

from plena_ref.machine import numerics
from tb.engine.dut import Dut
from tb.unit import bf16_data
from tb.unit.matrix_driver import Bench, Weather
from tb.unit.matrix_model import (
    HEAD,
    M_MM,
    M_MM_WO,
    M_TMM,
    ROWS,
    SINGLE,
    WRITE_OUT,
    Instruction,
    Model,
)


async def fresh_bench(dut: Dut, seed: int) -> Bench:
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


EVERYTHING = {0: 4, SINGLE: 4, HEAD | SINGLE: 4, HEAD: 1}


async def run_random(
    bench: Bench, weather: Weather, kinds: dict[int, int], length: int, shares: Sequence[tuple[float, ...]]
) -> None:
    """Random programs of these kinds, one on each filling of the memories, the second one cancelled before.

    `shares` holds, by filling, the shares of write-outs to choose from.
    """
    for data, choice in enumerate(shares):
        bench.fill(lambda: bf16_data.random_row(bench.rng, bench.mlen))
        if data == 1:
            bench.cancel()
        await check(bench, bench.program(kinds, length, bench.rng.choice(choice)), weather)


@cocotb.test()
@cocotb.parametrize(weather=range(len(WEATHERS)))
async def random_programs(dut: Dut, weather: int) -> None:
    """Products and write-outs in any order, also several write-outs in a row."""
    bench = await fresh_bench(dut, 100 + weather)
    await run_random(bench, WEATHERS[weather], {0: 1}, 24, [(0.2, 0.5, 0.7)] * 3)


@cocotb.test()
@cocotb.parametrize(weather=range(len(WEATHERS)))
async def random_programs_of_everything(dut: Dut, weather: int) -> None:
    """All four kinds of accumulators, interleaved at random."""
    bench = await fresh_bench(dut, 200 + weather)
    await run_random(bench, WEATHERS[weather], EVERYTHING, 16, [(0.2, 0.5)] * 2)


@cocotb.test()
async def accumulation_order(dut: Dut) -> None:
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
            program.append(Instruction(op, rng.randrange(ROWS - bench.blen + 1), 0, tile=tile))
        program.append(bench.write_out())
    model = Model(bench.vram, bench.tiles, bench.blen, bench.hlen)
    forward = [write for instruction in program for write in model.run(instruction)]
    turned = Model(bench.vram[:, ::-1], bench.tiles[:, ::-1, ::-1], bench.blen, bench.hlen)
    last = bench.mlen - bench.blen
    backward = [
        write
        for item in program
        for write in turned.run(
            item if item.op == M_MM_WO else Instruction(item.op, item.row, last, tile=item.tile)
        )
    ]
    differ = sum(one.words != two.words[::-1] for one, two in zip(forward, backward, strict=True))
    assert differ > len(forward) // 4, "the data must tell orders apart"
    await check(bench, program, Weather())


@cocotb.test()
async def products_every_blen_cycles(dut: Dut) -> None:
    """Products back to back from a filled queue start, and so finish to read, every BLEN cycles."""
    bench = await fresh_bench(dut, 1)
    bench.fill(lambda: bf16_data.random_row(bench.rng, bench.mlen))
    program = [bench.product() for _ in range(20)] + [bench.write_out()]
    await check(bench, program, Weather())
    gaps = {two.done - one.done for one, two in pairwise(program[1:20])}
    assert gaps == {bench.blen}, f"cycles from one product to the next: {gaps}"


@cocotb.test()
async def alternating_every_blen_cycles(dut: Dut) -> None:
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
async def rates_of_other_products(dut: Dut, sums: int) -> None:
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
async def alternating_rows_every_blen_cycles(dut: Dut) -> None:
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
async def start_clears_the_sums(dut: Dut, sums: int) -> None:
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
async def flush_drops_what_was_not_issued(dut: Dut) -> None:
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
