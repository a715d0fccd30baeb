"""Scalar float unit against numpy: random programs through its window, latencies, forwarding, flush and init.

The bench plays the scoreboard (registers and FP_MEM words, with the two pulses of docs/microarchitecture.md),
FP_MEM with a read port that may refuse, and the vector unit: reductions appear in the program as instructions
of another unit that read an f register a cycle after they are ready and write it back later.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, Timer

from plena_ref.machine import numerics
from tb.engine.dut import Dut
from tb.engine.simulate import parameter
from tb.unit import bf16_data
from tb.unit.course import Course
from tb.unit.reset import reset

ADD, SUB, MAX, MUL, EXP, RECI, SQRT, LD, ST, RED = range(10)
LATENCY = {ADD: 1, SUB: 1, MAX: 1, MUL: 1, EXP: 2, RECI: 2, SQRT: 2, LD: 1, ST: 1}
SLOTS = 8
POISON = 0xFFA5


@dataclass
class Instruction(Course):
    """One payload (RED: a reduction of the vector unit) and what the bench learned about it."""

    op: int
    fd: int = 0
    fa: int = 0
    fb: int = 0
    word: int = 0
    wait_done: list[Instruction] = field(default_factory=list)
    wait_read: list[Instruction] = field(default_factory=list)
    source: int = 0  # RED: value of the register before

    def reads(self) -> set[tuple[str, int]]:
        if self.op <= MUL:
            registers = {self.fa, self.fb}
        elif self.op <= SQRT or self.op == ST:
            registers = {self.fa}
        else:
            registers = {self.fd} if self.op == RED else set()
        return {("f", r) for r in registers if r} | ({("word", self.word)} if self.op == LD else set())

    def writes(self) -> set[tuple[str, int]]:
        if self.op == ST:
            return {("word", self.word)}
        return {("f", self.fd)} if self.fd else set()


class Bench:
    """Everything around the unit, a cycle at a time."""

    def __init__(self, dut: Dut, seed: int) -> None:
        self.dut = dut
        self.rng = random.Random(seed)
        self.words = 1 << parameter("FAW")
        self.cycle = 0
        self.next_slot = 0
        self.live: list[Instruction | None] = [None] * SLOTS
        self.reductions: list[Instruction] = []
        self.pushes: list[Instruction] = []
        self.grant = self.push_chance = 1.0
        self.hold = 0
        self.fp = [bf16_data.random_word(self.rng) for _ in range(self.words)]
        self.hw_fp = list(self.fp)
        self.f = [0] * 8
        self.read_data = POISON
        self.passed_waiting = 0

    async def start(self) -> None:
        dut = self.dut
        await reset(dut, ("flush", "init", "push", "slot_ready", "s_rd_gnt", "v_wen", "v_rsel"))

    def add(self, program: list[Instruction]) -> None:
        """Append instructions to what will be pushed; execute them in order for the expected effects."""
        n = numerics
        for i in program:
            a, b = (np.array([self.f[r]], dtype=np.uint16) for r in (i.fa, i.fb))
            with np.errstate(all="ignore"):
                if i.op == LD:
                    i.expected = self.fp[i.word]
                elif i.op == ST:
                    i.expected = self.fp[i.word] = self.f[i.fa]
                elif i.op == RED:
                    i.source = self.f[i.fd]
                    i.expected = bf16_data.random_word(self.rng)
                elif i.op <= MUL:
                    function = {ADD: n.bf16_add, SUB: n.bf16_sub, MAX: n.bf16_max, MUL: n.bf16_mul}[i.op]
                    i.expected = int(function(a, b)[0])
                else:
                    of_one = {EXP: n.bf16_exp, RECI: n.bf16_reciprocal, SQRT: n.bf16_sqrt}[i.op]
                    i.expected = int(of_one(a)[0])
            if i.op != ST and i.fd:
                self.f[i.fd] = i.expected
            self.pushes.append(i)

    def _dispatch(self) -> None:
        dut = self.dut
        dut.push.value = 0
        if not self.pushes or self.rng.random() > self.push_chance:
            return
        i = self.pushes[0]
        if i.op != RED and self.live[self.next_slot] is not None:
            return
        self.pushes.pop(0)
        i.pushed = self.cycle
        i.hold_until = self.cycle + (self.rng.randrange(self.hold + 1) if self.rng.random() < 0.3 else 0)
        for old in [*self.live, *self.reductions]:
            if old is None:
                continue
            if (i.reads() | i.writes()) & old.writes():
                i.wait_done.append(old)
            elif i.writes() & old.reads() and old.read < 0:
                i.wait_read.append(old)
        if i.op == RED:
            self.reductions.append(i)
            return
        i.slot = self.next_slot
        self.live[i.slot] = i
        self.next_slot = (self.next_slot + 1) % SLOTS
        dut.push.value, dut.push_op.value, dut.push_fpaddr.value = 1, i.op, i.word
        dut.push_fd.value, dut.push_fa.value, dut.push_fb.value = i.fd, i.fa, i.fb

    def _is_ready(self, i: Instruction) -> bool:
        waits_done = all(0 <= old.done < self.cycle for old in i.wait_done)
        waits_read = all(0 <= old.read < self.cycle for old in i.wait_read)
        return i.pushed < self.cycle >= i.hold_until and waits_done and waits_read

    def _reduce(self) -> None:
        """The vector unit's side: read in the cycle after rd_done, write in the cycle after done."""
        dut = self.dut
        dut.v_wen.value = 0
        dut.v_rsel.value = 0
        reader = next((i for i in self.reductions if i.read == self.cycle - 1), None)
        writer = next((i for i in self.reductions if i.done == self.cycle - 1), None)
        if writer is not None:
            dut.v_wen.value, dut.v_wsel.value, dut.v_wdata.value = 1, writer.fd, writer.expected
        if reader is not None:
            dut.v_rsel.value = reader.fd
        self._reader = reader
        taken = {i.done for i in self.reductions}
        earliest = self.cycle + 4 + self.rng.randrange(4)
        for i in self.reductions:
            if i.read < 0 and self._is_ready(i):
                i.read = self.cycle
                i.done = next(c for c in range(earliest, earliest + 100) if c not in taken)
                break
        self.reductions = [i for i in self.reductions if i.done < 0 or i.done >= self.cycle - 1]

    async def step(self) -> None:
        """Play one cycle."""
        dut = self.dut
        self.cycle += 1
        ready = sum(1 << i.slot for i in self.live if i is not None and self._is_ready(i))
        self._reduce()
        self._dispatch()
        dut.slot_ready.value = ready
        dut.s_rd_data.value = self.read_data
        dut.s_rd_gnt.value = 0
        await Timer(1, "ns")
        request = int(dut.s_rd_en.value)
        granted = bool(request and self.rng.random() < self.grant)
        dut.s_rd_gnt.value = int(granted)
        await Timer(1, "ns")
        assert int(dut.s_rd_en.value) == request
        if self._reader is not None:
            assert int(dut.v_rdata.value) == self._reader.source
        self._collect(granted)
        self.read_data = self.hw_fp[int(dut.s_rd_addr.value)] if granted else POISON
        if int(dut.wr_en.value):
            self.hw_fp[int(dut.wr_addr.value)] = int(dut.wr_data.value)
        await FallingEdge(dut.clk)

    def _collect(self, granted: bool) -> None:
        dut = self.dut
        read_pulses, done_pulses = int(dut.slot_rd_done.value), int(dut.slot_done.value)
        assert read_pulses.bit_count() <= 1, "one issue a cycle"
        waiting = [i for i in self.live if i is not None and i.read < 0 and i.pushed < self.cycle]
        waiting.sort(key=lambda i: i.pushed)
        for slot in range(SLOTS):
            if read_pulses >> slot & 1:
                i = self.live[slot]
                assert i is not None and i.read < 0 and self._is_ready(i)
                place = next(k for k, other in enumerate(waiting) if other is i)
                assert place < parameter("WINDOW")
                self.passed_waiting += place > 0
                i.read = self.cycle
                assert int(dut.wr_en.value) == (i.op == ST)
                if i.op == ST:
                    assert (int(dut.wr_addr.value), int(dut.wr_data.value)) == (i.word, i.expected)
                assert granted == (i.op == LD)
        if not read_pulses:
            assert not granted and not int(dut.wr_en.value)
        for slot in range(SLOTS):
            if done_pulses >> slot & 1:
                i = self.live[slot]
                assert i is not None and i.read >= 0
                assert self.cycle - i.read == LATENCY[i.op] - 1, f"op {i.op}"
                i.done = self.cycle
                self.live[slot] = None
        for i in self.live:
            assert i is None or i.read < 0 or self.cycle - i.read < LATENCY[i.op] - 1, "slot_done is missing"

    async def drain(self, limit: int = 20000) -> None:
        """Play cycles until everything is done, then compare registers and FP_MEM."""
        end = self.cycle + limit
        while self.pushes or any(self.live) or self.reductions:
            assert self.cycle < end, "instructions hang"
            await self.step()
        await self.step()
        assert list(bf16_data.unpack(int(self.dut.f_state.value), 8)) == self.f
        assert self.hw_fp == self.fp


def random_instruction(rng: random.Random, registers: int, words: int) -> Instruction:
    """Draw an instruction over registers f0..f(registers-1) and `words` FP_MEM words."""
    op = rng.choice((ADD, SUB, MAX, MUL, EXP, RECI, SQRT, LD, LD, LD, ST, ST, RED))
    fd, fa, fb = (rng.randrange(registers) for _ in range(3))
    return Instruction(op, max(fd, 1) if op == RED else fd, fa, fb, rng.randrange(words))


@cocotb.test()
@cocotb.parametrize(stalls=["none", "some", "many"])
async def random_programs(dut: Dut, stalls: str) -> None:
    """Random programs with many and with few dependencies; the window must have been used."""
    bench = Bench(dut, seed=len(stalls))
    await bench.start()
    bench.grant, bench.push_chance, bench.hold = {
        "none": (1.0, 1.0, 0),
        "some": (0.7, 0.9, 8),
        "many": (0.2, 0.6, 30),
    }[stalls]
    for registers, words in ((3, 2), (8, 4), (8, bench.words)):
        bench.add([random_instruction(bench.rng, registers, words) for _ in range(500)])
        await bench.drain()
    assert bench.passed_waiting > 50


@cocotb.test()
async def corner_values(dut: Dut) -> None:
    """Every operation on all pairs of corner values."""
    bench = Bench(dut, seed=11)
    await bench.start()
    corners = bf16_data.CORNERS
    for x in corners:
        bench.fp[: len(corners)] = bench.hw_fp[: len(corners)] = list(corners)
        program = [Instruction(LD, 1, word=corners.index(x))]
        program += [Instruction(op, 2, 1) for op in (EXP, RECI, SQRT)]
        for k in range(len(corners)):
            program += [Instruction(LD, 2, word=k)]
            program += [Instruction(op, 3 + op, 1, 2) for op in (ADD, SUB, MAX, MUL)]
        bench.add(program)
        await bench.drain()


@cocotb.test()
async def latencies(dut: Dut) -> None:
    """Distance from each operation to a dependent one, and one independent operation a cycle."""
    bench = Bench(dut, seed=12)
    await bench.start()
    for op in (ADD, SUB, MAX, MUL, EXP, RECI, SQRT, LD):
        chain = [Instruction(op, 1, 1, 1, word=5), Instruction(ADD, 2, 1, 1)]
        bench.add(chain)
        await bench.drain()
        assert chain[1].read - chain[0].read == LATENCY[op]
    chain = [Instruction(ST, fa=2, word=7), Instruction(LD, 3, word=7), Instruction(ST, fa=3, word=8)]
    bench.add(chain)
    await bench.drain()
    assert [i.read - chain[0].read for i in chain] == [0, 1, 2]
    adds = [Instruction(ADD, 1, 1, 1) for _ in range(5)]
    bench.add(adds)
    await bench.drain()
    assert [i.read - adds[0].read for i in adds] == [0, 1, 2, 3, 4]
    stream = [Instruction((ADD, LD, ST, MUL)[k % 4], 1 + k % 3, 4 + k % 4, 4, word=8 + k) for k in range(40)]
    bench.add(stream)
    await bench.drain()
    reads = sorted(i.read for i in stream)
    assert reads == list(range(reads[0], reads[0] + 40))


@cocotb.test()
async def window_is_four(dut: Dut) -> None:
    """A ready operation passes three waiting ones, not four."""
    bench = Bench(dut, seed=13)
    await bench.start()
    for blocked in range(1, SLOTS):
        held = [Instruction(ADD, 1 + k % 6, 7, 7) for k in range(blocked)]
        bench.add(held)
        while bench.pushes:
            await bench.step()
            for i in held:
                i.hold_until = bench.cycle + 20
        last = Instruction(LD, 0, word=3)
        bench.add([last])
        for _ in range(6):
            await bench.step()
        assert (last.read >= 0) == (blocked < parameter("WINDOW")), f"{blocked} waiting"
        await bench.drain()


@cocotb.test()
async def flush_and_init(dut: Dut) -> None:
    """A flush drops what waits and keeps registers; init clears registers; slots go on."""
    bench = Bench(dut, seed=14)
    await bench.start()
    for count in (1, 3, 8):
        bench.add([Instruction(LD, r, word=r) for r in range(1, 8)])
        await bench.drain()
        before = list(bench.f)
        bench.add([Instruction(ADD, 1 + k % 7, 1, 2) for k in range(count)])
        while bench.pushes:
            bench.pushes[0].hold_until = 1 << 60
            await bench.step()
            for i in bench.live:
                if i is not None:
                    i.hold_until = 1 << 60
        bench.live = [None] * SLOTS
        bench.f = before
        dut.flush.value = 1
        await bench.step()
        dut.flush.value = 0
        for _ in range(5):
            await bench.step()
        for length in (1, 20):
            bench.add([random_instruction(bench.rng, 8, 8) for _ in range(length)])
            await bench.drain()
        dut.flush.value = dut.init.value = 1
        bench.f = [0] * 8
        await bench.step()
        dut.flush.value = dut.init.value = 0
        await bench.drain()
