"""V_TOPK against sorting: every kind of logits, rows that come late, FP_MEM writes refused, latency."""

from __future__ import annotations

import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from plena_ref.machine import numerics
from tb.engine.dut import Dut
from tb.engine.simulate import parameter
from tb.unit import bf16_data

#: By policy: logits and places.
POLICIES = ((32, 4), (128, 8))


def top_k(logits: list[int], places: int) -> tuple[list[int], list[int]]:
    """Weights and indices of the largest of raw bf16 `logits`, sorted by Python on float64."""

    def order(index: int) -> tuple[float, int]:
        value = float(np.uint32(logits[index] << 16).view(np.float32))
        if logits[index] >> 7 & 0xFF == 0:
            value = 0.0
        return (np.inf if np.isnan(value) else -value, index)

    chosen = sorted(range(len(logits)), key=order)[:places]
    top = np.array([logits[index] for index in chosen], np.uint16)
    top[(top & 0x7FFF) > 0x7F80] = numerics.BF16_NEG_INF
    with np.errstate(all="ignore"):
        exponentials = numerics.bf16_exp(numerics.bf16_sub(top, np.full(places, top[0])))
        nodes = numerics.bf16_to_f32(exponentials)
        while nodes.size > 1:
            nodes = numerics.f32_add(nodes[0::2], nodes[1::2])
        reciprocal = numerics.bf16_reciprocal(numerics.f32_to_bf16(nodes))
        weights = numerics.bf16_mul(exponentials, np.repeat(reciprocal, places))
    return weights.tolist(), chosen


def draw(rng: random.Random, size: int) -> list[int]:
    """Logits: gaussian or wild rows, many ties, or little but NaN and infinities."""
    kind = rng.randrange(4)
    if kind == 0:
        pool = [0x3F80, 0x4000, 0xBF80, 0x0000, 0x8000, 0x0001]
    elif kind == 1:
        pool = [numerics.BF16_NEG_INF, 0x7FC0, 0xFFA5, 0xC000]
    else:
        logits: list[int] = bf16_data.random_row(rng, size).tolist()
        return logits
    return [rng.choice(pool) for _ in range(size)]


class Bench:
    """Drives one instruction at a time and collects what it writes."""

    def __init__(self, dut: Dut, seed: int) -> None:
        self.dut = dut
        self.rng = random.Random(seed)
        self.mlen = parameter("MLEN")
        self.cycle = 0

    async def start(self) -> None:
        dut = self.dut
        Clock(dut.clk, 2, "ns").start()
        for name in ("start", "row_valid", "fp_wr_gnt"):
            getattr(dut, name).value = 0
        dut.rst.value = 1
        await FallingEdge(dut.clk)
        dut.rst.value = 0
        await FallingEdge(dut.clk)

    async def run(self, policy: int, logits: list[int], smooth: bool) -> int:
        """Give the logits row by row, compare what is written; returns cycles from start to done."""
        dut, rng, mlen = self.dut, self.rng, self.mlen
        fp, integer, slot = rng.randrange(200), rng.randrange(100), rng.randrange(8)
        noise = [rng.randrange(1 << 16) for _ in range(max(0, mlen - len(logits)))]
        rows = [(logits + noise)[at : at + mlen] for at in range(0, len(logits), mlen)]
        weights, chosen = top_k(logits, POLICIES[policy][1])
        assert not int(dut.busy.value)
        dut.start.value, dut.start_wide.value = 1, policy
        dut.start_fp.value, dut.start_int.value, dut.start_slot.value = fp, integer, slot
        got: list[tuple[int, ...]] = []
        cycles = 0
        while not int(dut.done.value):
            cycles += 1
            assert cycles < 2000, "hangs"
            await FallingEdge(dut.clk)
            dut.start.value = dut.row_valid.value = 0
            dut.row.value = bf16_data.pack(bf16_data.random_row(rng, mlen))
            if rows and (smooth or rng.random() < 0.3):
                dut.row_valid.value = 1
                dut.row.value = bf16_data.pack(np.array(rows.pop(0), np.uint16))
            grant = smooth or rng.random() < 0.4
            dut.fp_wr_gnt.value = int(grant)
            await Timer(100, "ps")
            assert int(dut.busy.value)
            assert int(dut.int_wr_en.value) == (grant and int(dut.fp_wr_en.value))
            if int(dut.int_wr_en.value):
                ports = (dut.fp_wr_addr, dut.fp_wr_data, dut.int_wr_addr, dut.int_wr_data)
                got.append(tuple(int(port.value) for port in ports))
        assert int(dut.done_slot.value) == slot
        expected = [(fp + n, w, integer + n, i) for n, (w, i) in enumerate(zip(weights, chosen, strict=True))]
        assert got == expected
        await FallingEdge(dut.clk)
        dut.fp_wr_gnt.value = 0
        return cycles


@cocotb.test()
async def every_kind_of_logits(dut: Dut) -> None:
    bench = Bench(dut, seed=1)
    await bench.start()
    for number in range(60):
        policy = number % 2
        await bench.run(policy, draw(bench.rng, POLICIES[policy][0]), smooth=number % 3 == 0)


@cocotb.test()
async def latency(dut: Dut) -> None:
    """Without refusals: done 1 + logits + 3K+4 cycles after the start."""
    bench = Bench(dut, seed=2)
    await bench.start()
    for policy, (size, places) in enumerate(POLICIES):
        cycles = await bench.run(policy, draw(bench.rng, size), smooth=True)
        assert cycles == 1 + size + 3 * places + 4
