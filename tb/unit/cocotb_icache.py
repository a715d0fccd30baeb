"""Instruction cache against the program: random jumps, latencies, refused requests, bus errors, restarts.

The word behind the one in use must come with it, within a line and across two, where the next line is here.
"""

from __future__ import annotations

import random

import cocotb
from cocotb.triggers import FallingEdge

from tb.engine.dut import Dut
from tb.unit.reset import reset

LINE_WORDS = 16


class Memory:
    """Answers line requests in order, `latency` cycles later or at random; remembers what was asked for.

    Without a latency, requests are refused at random too.
    """

    def __init__(
        self,
        dut: Dut,
        rng: random.Random,
        words: list[int],
        base: int = 0,
        bad_lines: frozenset[int] = frozenset(),
        latency: int | None = None,
    ) -> None:
        self.dut, self.rng, self.words, self.base, self.bad = dut, rng, words, base, bad_lines
        self.latency = latency
        self.queue: list[tuple[int, int]] = []
        self.requested: list[int] = []
        self.cycle = 0

    def drive(self) -> None:
        """Set this cycle's inputs; call between two clock edges."""
        self.cycle += 1
        dut = self.dut
        dut.if_gnt.value = 0
        if int(dut.if_req.value) and (self.latency is not None or self.rng.random() < 0.7):
            dut.if_gnt.value = 1
            address = int(dut.if_addr.value)
            assert address % 64 == 0 and address >= self.base
            line = (address - self.base) // 64
            assert line * LINE_WORDS < len(self.words), "fetch past the end of the program"
            self.requested.append(line)
            delay = self.rng.randrange(1, 60) if self.latency is None else self.latency
            self.queue.append((self.cycle + delay, line))
        dut.if_rvalid.value = 0
        if self.queue and self.queue[0][0] <= self.cycle:
            _, line = self.queue.pop(0)
            words = self.words[line * LINE_WORDS : (line + 1) * LINE_WORDS]
            dut.if_rvalid.value = 1
            dut.if_rdata.value = sum(word << (32 * i) for i, word in enumerate(words))
            dut.if_rerr.value = int(line in self.bad)


INPUTS = ("invalidate", "enable", "if_gnt", "if_rvalid", "if_rerr", "next_pc", "base", "length")


async def begin(dut: Dut, base: int, length: int) -> None:
    dut.base.value, dut.length.value = base, length
    dut.invalidate.value, dut.next_pc.value, dut.enable.value = 1, 0, 0
    await FallingEdge(dut.clk)
    dut.invalidate.value, dut.enable.value = 0, 1


@cocotb.test()
async def delivers_the_program(dut: Dut) -> None:
    rng = random.Random(7)
    await reset(dut, INPUTS, period=2)
    for length in (1, 16, 17, 700, 3000):
        words = [rng.randrange(1 << 32) for _ in range(length)]
        base = 64 * rng.randrange(1 << 20)
        bad = frozenset([rng.randrange(length // LINE_WORDS + 1)] if length > 100 else [])
        memory = Memory(dut, rng, words, base, bad)
        await begin(dut, base, length)
        pc, delivered, crossed = 0, 0, 0
        for _ in range(6000):
            await cocotb.triggers.Timer(100, "ps")
            following = pc
            if int(dut.valid.value):
                assert int(dut.error.value) == (pc // LINE_WORDS in bad)
                if not int(dut.error.value):
                    assert int(dut.instr.value) == words[pc], f"pc {pc}"
                behind = (pc + 1) // LINE_WORDS
                second = bool(int(dut.second_valid.value))
                if second and pc + 1 < length:
                    assert behind not in bad
                    assert int(dut.second_instr.value) == words[pc + 1], f"pc {pc} + 1"
                if behind == pc // LINE_WORDS:
                    assert second == (behind not in bad)
                else:
                    crossed += second
                delivered += 1
                draw = rng.random()
                if second and pc + 2 < length and draw > 0.6:
                    following = pc + 2  # a pair
                elif draw < 0.1:
                    following = pc  # a stall
                elif draw < 0.15:
                    following = rng.randrange(max(0, pc - 100), pc + 1)  # a loop end
                elif draw < 0.16:
                    following = rng.randrange(length)
                else:
                    following = pc + 1 if pc + 1 < length else 0
            dut.next_pc.value = pc = following
            memory.drive()
            await FallingEdge(dut.clk)
        assert delivered > 1000 and (crossed > 50 or length < 100)
        # Leave with requests in flight: a restart must drop their answers.
        dut.enable.value = 0


@cocotb.test()
async def looks_ahead_and_streams(dut: Dut) -> None:
    """A straight program at latency 100: once started, two words come in nearly every cycle."""
    await reset(dut, INPUTS, period=2)
    words = list(range(4000))
    memory = Memory(dut, random.Random(3), words, latency=100)
    await begin(dut, 0, len(words))
    pc, cycles = 0, 0
    while pc < 2000:
        await cocotb.triggers.Timer(100, "ps")
        if int(dut.valid.value):
            assert int(dut.instr.value) == pc
            pc += 1 + int(dut.second_valid.value)
        dut.next_pc.value = pc
        memory.drive()
        await FallingEdge(dut.clk)
        cycles += 1
    assert cycles < 1000 + 250, cycles
    assert len(set(memory.requested)) == len(memory.requested)
