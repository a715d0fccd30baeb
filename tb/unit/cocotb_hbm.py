"""HBM unit against cocotbext-axi's RAM and a numpy model of what each transfer reads and writes."""

from __future__ import annotations

import json
import os

import cocotb
import numpy as np

from tb.engine.dut import Dut
from tb.unit.hbm_driver import (
    BEAT,
    PREFETCH_M,
    PREFETCH_V,
    SCALE_REGION,
    SLOTS,
    STORE_V,
    TILES,
    VRAM_ROWS,
    Bench,
    Transfer,
)


async def random_run(dut: Dut, seed: int, transfers: int, chance: float, withhold: int, latency: int) -> None:
    bench = Bench(dut, seed)
    await bench.start(latency)
    if latency == 0:
        bench.jitter(chance, withhold)
    dut.fetch_on.value = 1
    work = [bench.random_transfer() for _ in range(transfers)]
    loads = [t for t in work if t.op != STORE_V]
    beats = [bench.beats(bench.element_rows(t), bench.row_bytes(t)) for t in loads]
    scale_beats = [bench.beats(bench.scale_rows(t), bench.scales) for t in loads if not t.bf16]
    await bench.execute(work, gap=30)
    dut.fetch_on.value = 0
    for _ in range(600):
        await bench.cycle()
    assert int(dut.fetched.value) > 10
    assert int(dut.fetch_errors.value) == 0
    await bench.check()
    assert int(dut.elem_beats.value) == sum(beats)
    assert int(dut.scale_beats.value) == sum(scale_beats)


@cocotb.test()
@cocotb.parametrize(
    (
        ("seed", "chance", "withhold", "latency"),
        [(1, 0.0, 0, 0), (2, 0.5, 128, 0), (3, 0.8, 230, 0), (4, 0.0, 0, 60)],
    )
)
async def random_transfers(dut: Dut, seed: int, chance: float, withhold: int, latency: int) -> None:
    """Mixed transfers at every alignment and stride, against back-pressure on all channels and latency."""
    count = int(os.environ.get("HBM_TRANSFERS", "24"))
    await random_run(dut, seed, count, chance, withhold, latency)


@cocotb.test()
async def bf16_and_mxfp8_take_turns(dut: Dut) -> None:
    """Rows of bf16 between rows of MXFP8, whose scales come early; a bad scale spoils no row of bf16."""
    bench = Bench(dut, 11)
    if not bench.has_bf16:
        return
    await bench.start(40, 40)
    work = []
    for k in range(3):
        base = 8192 * k + 4096 - bench.mlen  # a row lies across a 4 KiB boundary
        loose = 2 * bench.mlen + 2 * bench.block
        work.append(bench.contiguous(PREFETCH_M, SCALE_REGION + 8192 * k, tile=k))
        work.append(Transfer(PREFETCH_V, base, 0, 2 * bench.mlen, row=20 + k, bf16=True))
        work.append(Transfer(STORE_V, base, 0, loose, row=20, bf16=True))
        work.append(Transfer(PREFETCH_M, base, 0, loose, tile=3, bf16=True))
        work.append(bench.contiguous(STORE_V, SCALE_REGION + 8192 * k, row=k))
    await bench.execute(work)
    dut.withhold.value = 230  # rows wait for VRAM, and the scales of the tile behind them are there
    rows = Transfer(PREFETCH_V, 4096, 0, 2 * bench.mlen, row=5, bf16=True)
    await bench.execute([rows, bench.contiguous(PREFETCH_M, SCALE_REGION, tile=1)] * 2)
    await bench.check()
    bench.bad = [range(SCALE_REGION, SCALE_REGION + 1)]
    await bench.execute([Transfer(PREFETCH_V, 64, SCALE_REGION, 2 * bench.mlen, row=9, bf16=True)])
    assert int(dut.slot_fault.value) == 0
    await bench.check()


@cocotb.test()
async def store_then_prefetch(dut: Dut) -> None:
    """Bytes that a store wrote come back in the prefetch that waits for it, and in a later tile load."""
    bench = Bench(dut, 5)
    await bench.start(40, 40)
    n = bench.rows[STORE_V]
    work = []
    for k in range(3):
        base = 4096 * k + 4096 - bench.mlen * (n // 2) - bench.block  # a row lies across a 4 KiB boundary
        work.append(bench.contiguous(STORE_V, base, row=k))
        work.append(Transfer(PREFETCH_V, base, work[-1].sbase, bench.mlen, row=20 + k))
    work.append(bench.contiguous(PREFETCH_M, 4096, tile=1))
    await bench.execute(work)
    await bench.check()


@cocotb.test()
async def order_within_the_unit(dut: Dut) -> None:
    """A store changes neither bytes that an older prefetch reads nor reads rows that a younger one writes."""
    bench = Bench(dut, 10)
    await bench.start(60)  # writes land at once, reads late
    work = []
    for k in range(3):
        base = 8192 * k
        work.append(bench.contiguous(PREFETCH_M, base, tile=k))
        work.append(Transfer(STORE_V, base, work[-1].sbase, bench.mlen, row=8 * k))
        work.append(bench.contiguous(PREFETCH_V, SCALE_REGION + base, row=8 * k))
    await bench.execute(work)
    await bench.check()


@cocotb.test()
async def special_values_stored(dut: Dut) -> None:
    """Blocks of NaN, infinity, zeros, subnormals and magnitudes at both ends go out as MXFP8."""
    bench = Bench(dut, 6)
    corners = [0x7F80, 0xFF80, 0x7FC0, 0xFFA5, 0, 0x8000, 1, 0x8001, 0x7F, 0x80, 0x7F7F, 0xFF7F, 0x3F80]
    corners += [0x43E0, 0x43E1, 0xBF80]
    n = bench.rows[STORE_V]
    for row in range(VRAM_ROWS):
        for block in range(bench.scales):
            low = bench.rng.randrange(len(corners))
            few = corners[low : low + bench.rng.randint(1, 3)]
            for i in range(bench.block):
                if row % 3:
                    bench.vram[row, block * bench.block + i] = bench.rng.choice(few)
    await bench.start()
    rows = range(0, VRAM_ROWS - n + 1, n)
    work = [bench.contiguous(STORE_V, 2 * n * bench.mlen * k, row=r) for k, r in enumerate(rows)]
    await bench.execute(work)
    await bench.check()


@cocotb.test()
async def faults(dut: Dut) -> None:
    """A bus error names its slot, spoils only its rows, and the unit comes to rest and works again."""
    bench = Bench(dut, 7)
    await bench.start(20, 20)
    base, scales = 1 << 17, 5 << 14
    good = bench.contiguous(PREFETCH_M, 0, tile=0)
    cases = [
        (bench.contiguous(PREFETCH_M, base, tile=1), base + bench.mlen * (bench.mlen // 2)),
        (bench.contiguous(PREFETCH_V, base, row=3), base + bench.rows[PREFETCH_V] * bench.mlen),
        (Transfer(PREFETCH_M, base, scales, 2 * bench.mlen, tile=2), scales + 3 * 2 * bench.scales),
        (bench.contiguous(STORE_V, base, row=9), base + 1),
        (
            bench.contiguous(STORE_V, base, row=9),
            base + bench.rows[STORE_V] * (bench.mlen + bench.scales) - 1,
        ),
    ]
    for transfer, bad in cases:
        bench.bad = [range(bad, bad + 1)]
        await bench.execute([good])
        fault_slot = bench.pushed % SLOTS
        if transfer.op == STORE_V:
            await bench.cycle(transfer)
        else:
            await bench.execute([transfer])
        await bench.settle()
        assert int(dut.slot_fault.value) == 1 << fault_slot, f"{transfer}"
        # nothing begins any more
        before = int(dut.rows_written.value), int(dut.elem_beats.value)
        await bench.cycle(bench.contiguous(PREFETCH_V, 0, row=30))
        await bench.cycle(bench.contiguous(STORE_V, 0, row=30))
        for _ in range(100):
            await bench.cycle()
        assert int(dut.idle.value) == 1
        assert (int(dut.rows_written.value), int(dut.elem_beats.value)) == before
        bench.bad = []
        if transfer.op == STORE_V:  # whatever part of it was written is not specified
            for start, length in [(a, bench.mlen) for a in bench.element_rows(transfer)] + [
                (a, bench.scales) for a in bench.scale_rows(transfer)
            ]:
                written = np.frombuffer(bytes(bench.ram.read(start, length)), np.uint8)
                bench.hbm[start : start + length] = written
        dut.flush.value = 1
        await bench.cycle()
        dut.flush.value = 0
        await bench.cycle()
        assert int(dut.slot_fault.value) == 0
        await bench.execute([good, bench.contiguous(PREFETCH_V, 4096, row=40)])
        dut.flush.value = 1
        await bench.cycle()
        dut.flush.value = 0
        await bench.cycle()
    await bench.check()


@cocotb.test()
async def fault_with_followers(dut: Dut) -> None:
    """A prefetch whose requests were out when an older one failed finishes; the store between stays."""
    bench = Bench(dut, 8)
    await bench.start(80)
    bad = bench.contiguous(PREFETCH_V, 8192, row=0)
    bench.bad = [range(8192, 8193)]
    store = bench.contiguous(STORE_V, 1 << 15, row=40)
    last = bench.contiguous(PREFETCH_V, 0, row=20)
    bench.apply(bad)
    bench.apply(last)
    for transfer in (bad, store, last):
        await bench.cycle(transfer)
        if transfer is store:
            bench.waits[1].add(SLOTS)  # it waits for something that never comes
    await bench.settle()
    assert int(dut.slot_fault.value) == 1
    assert int(dut.live.value) == 2, "the store must stay, the prefetch behind it be done"
    await bench.check()


@cocotb.test()
async def throughput(dut: Dut) -> None:
    """Tile loads one behind the other at latency 100 keep the bus busy; the rate is written to a file."""
    bench = Bench(dut, 9)
    await bench.start(100)
    loads = 12 if bench.mlen <= 64 else 4
    work = [bench.contiguous(PREFETCH_M, 8192 * k, tile=k % TILES) for k in range(loads)]
    cycles = await bench.execute(work)
    beats = int(dut.elem_beats.value) + int(dut.scale_beats.value)
    rate = BEAT * beats / (cycles - 100)
    peak = int(dut.in_flight_peak.value)
    with open("throughput.json", "w", encoding="utf-8") as file:
        json.dump({"cycles": cycles, "beats": beats, "bytes_a_cycle": rate, "in_flight": peak}, file)
    dut._log.warning("%d beats in %d cycles, %.1f bytes a cycle, %d in flight", beats, cycles, rate, peak)
    await bench.check()
    rows = loads * bench.mlen
    # a cycle a beat or a row, whichever is more, and the latency once; or, for small tiles, 4 loads at a time
    assert cycles <= max(1.05 * max(beats, rows) + 100 + 40, loads / SLOTS * (100 + bench.mlen + 40))
    assert peak >= min(64, beats // loads)
