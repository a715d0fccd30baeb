"""Reduction tree against numpy: sums in tree order, maxima, f last, results in the promised cycle."""

from __future__ import annotations

import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge
from numpy.typing import NDArray

from plena_ref.machine import numerics
from tb.engine.dut import Dut
from tb.engine.simulate import parameter
from tb.unit import bf16_data


def reduce(maximum: bool, row: NDArray[np.uint16], mask: list[int], f: int) -> int:
    """Return the new raw bf16 of the f register: `row` uint16[MLEN] under `mask`, combined with `f`."""
    chosen = np.array(mask, dtype=bool)
    old = np.array([f], dtype=np.uint16)
    with np.errstate(all="ignore"):
        if maximum:
            inner = numerics.bf16_max_reduce(np.where(chosen, row, np.uint16(numerics.BF16_NEG_INF)))
            return int(numerics.bf16_max(old, np.array([inner], dtype=np.uint16))[0])
        nodes = numerics.bf16_to_f32(np.where(chosen, row, np.uint16(0)))
        while nodes.size > 1:
            nodes = numerics.f32_add(nodes[0::2], nodes[1::2])
        return int(numerics.f32_to_bf16(numerics.f32_add(numerics.bf16_to_f32(old), nodes))[0])


@cocotb.test()
async def reduces_rows(dut: Dut) -> None:
    """A row enters in almost every cycle; each result comes in its cycle with its slot and register."""
    mlen = parameter("MLEN")
    depth = mlen.bit_length() - 1
    latency = {False: depth, True: (depth + 1) // 2}
    rng = random.Random(mlen)
    Clock(dut.clk, 2, "ns").start()
    dut.in_valid.value = 0
    dut.rst.value = 1
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    due: dict[int, tuple[int, int, int]] = {}
    seen = {False: 0, True: 0}
    order_matters = 0
    for cycle in range(1500):
        maximum = rng.random() < 0.6
        out = cycle + latency[maximum]
        enter = out not in due and rng.random() < 0.9 and cycle < 1450
        dut.in_valid.value = int(enter)
        if enter:
            row = bf16_data.random_row(rng, mlen)
            width = mlen >> rng.randrange(depth + 1)
            everything = rng.random() < 0.4
            lanes = [1 if everything else rng.randrange(2) for _ in range(mlen // width)]
            mask = [bit for bit in lanes for _ in range(width)]
            f, register, slot = bf16_data.random_word(rng), rng.randrange(8), rng.randrange(8)
            dut.in_max.value, dut.in_f.value = int(maximum), f
            dut.in_fsel.value, dut.in_slot.value = register, slot
            dut.in_row.value = bf16_data.pack(row)
            dut.in_mask.value = sum(bit << i for i, bit in enumerate(mask))
            due[out] = (reduce(maximum, row, mask, f), register, slot)
            seen[maximum] += 1
            if not maximum and all(mask):
                with np.errstate(all="ignore"):
                    running = np.add.accumulate(numerics.bf16_to_f32(row), dtype=np.float32)[-1:]
                    old = numerics.bf16_to_f32(np.array([f], dtype=np.uint16))
                    line = numerics.f32_to_bf16(numerics.f32_add(old, running))
                order_matters += int(line[0]) != due[out][0]
        else:
            dut.in_row.value = rng.getrandbits(mlen * 16)
        await FallingEdge(dut.clk)
        expected = due.pop(cycle + 1, None)
        assert int(dut.out_valid.value) == (expected is not None), f"cycle {cycle}"
        if expected is not None:
            got = int(dut.out_value.value), int(dut.out_fsel.value)
            assert got == expected[:2], f"cycle {cycle}: got {got}, expected {expected}"
        following = due.get(cycle + 2)
        assert int(dut.soon.value) == (following is not None)
        if following is not None:
            assert int(dut.soon_slot.value) == following[2]
    assert not due
    assert min(seen.values()) > 300
    assert order_matters > 10  # the data tell a tree from a running sum


@cocotb.test()
async def empty_masks_and_signed_zeros(dut: Dut) -> None:
    """Empty masks leave f + 0 or a canonical f; a row of -0 keeps its sign only when f has it too."""
    mlen = parameter("MLEN")
    depth = mlen.bit_length() - 1
    Clock(dut.clk, 2, "ns").start()
    dut.in_valid.value = 0
    dut.rst.value = 1
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    everything = (1 << mlen) - 1
    minus_zeros = bf16_data.pack(np.full(mlen, 0x8000, dtype=np.uint16))
    nans = bf16_data.pack(np.full(mlen, 0xFFA5, dtype=np.uint16))
    results = {  # by maximum, mask and row: what an f gives
        (0, 0, nans): {0x8000: 0x0000, 0x8001: 0x0000, 0x3F81: 0x3F81, 0xFFA5: 0x7FC0},
        (0, everything, minus_zeros): {0x8000: 0x8000, 0x0000: 0x0000},
        (0, everything, nans): {0x0000: 0x7FC0},
        (1, 0, nans): {0x8001: 0x8000, 0x0001: 0x0000, 0xFFA5: 0x7FC0, 0xFF80: 0xFF80},
        (1, everything, minus_zeros): {0x0000: 0x0000, 0xBF80: 0x8000},
        (1, 1 << (mlen - 1), nans): {0x3F80: 0x7FC0},
    }
    cases = [(*given, f, expected) for given, pairs in results.items() for f, expected in pairs.items()]
    for maximum, mask, row, f, expected in cases:
        dut.in_valid.value, dut.in_max.value, dut.in_mask.value = 1, maximum, mask
        dut.in_row.value, dut.in_f.value = row, f
        await FallingEdge(dut.clk)
        dut.in_valid.value = 0
        for _ in range((depth + 1) // 2 - 1 if maximum else depth - 1):
            assert not int(dut.out_valid.value)
            await FallingEdge(dut.clk)
        assert int(dut.out_valid.value)
        assert int(dut.out_value.value) == expected, f"f={f:04x} maximum={maximum} mask={mask:x}"
        await FallingEdge(dut.clk)
