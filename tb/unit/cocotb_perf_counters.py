"""Performance counters against counts in Python: random events, all registers, and offsets that hold none."""

from __future__ import annotations

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from plena_ref.isa.counters import DISPATCH, GROUPS, QUEUE, QUEUES, TOTALS
from tb.engine.dut import Dut

HAZARDS = ("f", "row", "tile", "fp_mem", "order")
INPUTS = ("init", "running", "counter_read", "counter_address", "hazards", "head_bus")


def state(valid: bool, issues: bool, waits: bool, refused: bool, bus: bool, hazards: int) -> str:
    """The state of a queue's head, as docs/counters.md lists them."""
    if not valid:
        return "empty"
    if issues:
        return "issue"
    kinds = [kind for bit, kind in enumerate(HAZARDS) if hazards >> bit & 1]
    if waits and kinds:
        return kinds[0]
    return "bank" if refused else "bus" if bus else "busy"


def drive(dut: Dut, rng: random.Random, counts: dict[str, dict[str, int]], running: bool) -> None:
    """Draw a cycle's events, and count them if the program runs."""
    heads = {name: rng.randrange(16) for name in ("head_valid", "head_issues", "head_waits", "head_refused")}
    hazards, bus, work = rng.randrange(1 << 20), rng.randrange(2), rng.randrange(128)
    retired, busy = [rng.randrange(3) for _ in range(6)], rng.randrange(16)
    number, macs = rng.randrange(len(DISPATCH)), rng.choice((0, 1024, (1 << 32) - 1))
    for name, value in heads.items():
        getattr(dut, name).value = value
    dut.hazards.value, dut.head_bus.value, dut.busy.value = hazards, bus, busy
    dut.dispatch_state.value, dut.macs.value, dut.running.value = number, macs, int(running)
    dut.retired.value = sum(count << 2 * unit for unit, count in enumerate(retired))
    events = ("vector_row", "read_beat", "write_beat", "fetch_line")
    for bit, name in enumerate(events):
        getattr(dut, name).value = work >> bit & 1
    dut.write_refused.value = work >> len(events)
    if not running:
        return
    counts["dispatch"][DISPATCH[number].name] += 1
    for unit, name in enumerate(QUEUES):
        valid, issues, waits, refused = (bool(value >> unit & 1) for value in heads.values())
        on_bus = name == "hbm" and bool(bus)
        counts[name][state(valid, issues, waits, refused, on_bus, hazards >> 5 * unit)] += 1
    sums = [*retired, *(busy >> unit & 1 for unit in range(4)), macs, *(work >> bit & 1 for bit in range(7))]
    for counter, value in zip(TOTALS, sums, strict=True):
        counts["totals"][counter.name] += value


@cocotb.test()
async def counts_every_event_once(dut: Dut) -> None:
    rng = random.Random(3)
    Clock(dut.clk, 2, "ns").start()
    for name in INPUTS:
        getattr(dut, name).value = 0
    dut.rst.value = 1
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    for _ in range(2):
        dut.init.value = 1
        await FallingEdge(dut.clk)
        dut.init.value = 0
        counts = {group.name: dict.fromkeys(group.names, 0) for group in GROUPS.values()}
        for _ in range(600):
            drive(dut, rng, counts, rng.random() < 0.8)
            await FallingEdge(dut.clk)
        dut.running.value = 0
        await FallingEdge(dut.clk)
        await FallingEdge(dut.clk)
        assert min(count for name in QUEUES for key, count in counts[name].items() if key != "bus") > 0
        assert counts["totals"]["macs"] > 1 << 32 and len(counts["hbm"]) == len(QUEUE)
        wanted = {
            group.offset + 8 * number: counts[group.name][name]
            for group in GROUPS.values()
            for number, name in enumerate(group.names)
        }
        dut.counter_read.value = 1
        for offset in range(0, 1 << 12, 8):
            for half in (0, 4):
                dut.counter_address.value = offset + half
                await Timer(10, "ps")
                assert int(dut.counter_hit.value) == (offset in wanted), f"{offset:03X}"
                word = wanted.get(offset, 0) >> 8 * half & 0xFFFF_FFFF
                assert int(dut.counter_word.value) == word, f"{offset + half:03X}"
        dut.counter_read.value = 0
        await FallingEdge(dut.clk)
