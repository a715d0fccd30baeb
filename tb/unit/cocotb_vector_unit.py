"""Vector unit against numpy: random programs under random stalls, throughput, latencies, flush.

The bench plays everything around the unit: the scoreboard (only f registers: rows are the unit's own
business), VRAM ports whose data are valid for one cycle, FP_MEM, the f registers. The expected
effects come from running the program in order on `plena_ref.machine.numerics`.
"""

from __future__ import annotations

import random

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, Timer

from tb.engine.dut import Dut
from tb.engine.simulate import parameter
from tb.unit import bf16_data
from tb.unit.reset import reset
from tb.unit.vector_model import (
    ADD,
    EXP,
    MAP,
    MAX,
    MIN,
    MUL,
    POISON,
    RECI,
    RED_MAX,
    RED_SUM,
    ROWS,
    RSUB,
    SLOTS,
    SUB,
    Instruction,
    State,
    random_instruction,
)


class Bench:
    """Everything around the unit, a cycle at a time."""

    def __init__(self, dut: Dut, seed: int) -> None:
        self.dut = dut
        self.mlen = parameter("MLEN")
        self.rng = random.Random(seed)
        self.cycle = 0
        self.next_slot = 0
        self.live: list[Instruction | None] = [None] * SLOTS
        self.pushes: list[Instruction] = []
        self.grant_a = self.grant_b = self.grant_w = 1.0
        self.push_chance = 1.0
        self.one_read_port = False  # A and B never granted together, as in one bank
        self.hold = 0
        self.bubbles = 0
        poison = bf16_data.pack(np.full(self.mlen, POISON, dtype=np.uint16))
        self.poison = poison
        self.data_a = self.data_b = self.data_fp = poison
        self.state = State(self.rng, self.mlen)
        self.hw_rows = [bf16_data.pack(row) for row in self.state.rows]
        self.hw_f = list(self.state.f)
        self.row_reads = 0
        self.writes: list[Instruction] = []  # rows in the order in which they must be written
        self.reads: list[Instruction] = []
        self.reduced: Instruction | None = None  # its f register is written in this cycle

    async def start(self) -> None:
        dut = self.dut
        units = ("flush", "push", "slot_ready", "f_rdata")
        await reset(dut, (*units, "rd_a_gnt", "rd_b_gnt", "wr_gnt", "fp_wr_gnt"))

    def add(self, program: list[Instruction]) -> None:
        """Append instructions to what will be pushed; execute them in order for the expected effects."""
        for i in program:
            i.expected = self.state.execute(i)
            self.pushes.append(i)

    def _push(self) -> None:
        dut = self.dut
        self.dut.push.value = 0
        if not self.pushes or self.live[self.next_slot] is not None or self.rng.random() > self.push_chance:
            return
        i = self.pushes.pop(0)
        i.slot, i.pushed = self.next_slot, self.cycle
        i.hold_until = self.cycle + (self.rng.randrange(self.hold + 1) if self.rng.random() < 0.3 else 0)
        for old in self.live:
            if old is None:
                continue
            if old.reduces and i.reads_f and old.f == i.f:
                i.wait_done.append(old)
        self.live[i.slot] = i
        self.next_slot = (self.next_slot + 1) % SLOTS
        self.reads.append(i)
        if not i.reduces:
            self.writes.append(i)
        dut.push.value = 1
        dut.push_op.value, dut.push_vf.value = i.op, int(i.vf)
        dut.push_row_a.value, dut.push_row_b.value, dut.push_row_d.value = i.a, i.b, i.d
        dut.push_f.value, dut.push_mask.value = i.f, i.mask
        dut.push_shift.value, dut.push_fpaddr.value = i.shift, i.fp

    async def step(self) -> None:
        """Play one cycle."""
        dut, rng = self.dut, self.rng
        self.cycle += 1
        ready = 0
        for i in self.live:
            if i is None or i.pushed == self.cycle:
                continue
            if self.cycle >= i.hold_until and all(0 <= old.done < self.cycle for old in i.wait_done):
                ready |= 1 << i.slot
        self._push()
        dut.slot_ready.value = ready
        dut.rd_a_data.value, dut.rd_b_data.value = self.data_a, self.data_b
        dut.fp_rd_data.value = self.data_fp
        allow_a, allow_b, allow_w = (rng.random() < p for p in (self.grant_a, self.grant_b, self.grant_w))
        dut.rd_a_gnt.value = dut.rd_b_gnt.value = dut.wr_gnt.value = 0
        await Timer(1, "ns")
        # No request may follow a grant: they are the same with and without.
        requests = [int(getattr(dut, name).value) for name in ("rd_a_req", "rd_b_req", "wr_req", "fp_rd_en")]
        if self.one_read_port and requests[0] and requests[1]:
            allow_b = not allow_a
        granted_a, granted_b = bool(allow_a and requests[0]), bool(allow_b and requests[1])
        dut.rd_a_gnt.value = int(granted_a)
        dut.rd_b_gnt.value = int(granted_b)
        dut.wr_gnt.value = int(allow_w and requests[2])
        dut.f_rdata.value = self.hw_f[int(dut.f_rsel.value)] if self._f_wanted() else POISON
        await Timer(1, "ns")
        again = [int(getattr(dut, name).value) for name in ("rd_a_req", "rd_b_req", "wr_req", "fp_rd_en")]
        assert again == requests
        self.data_a = self.data_b = self.data_fp = self.poison
        if granted_a:
            self.data_a = self.hw_rows[int(dut.rd_a_row.value)]
        if granted_b:
            self.data_b = self.hw_rows[int(dut.rd_b_row.value)]
        self.row_reads += granted_a + granted_b
        if requests[3]:
            start = int(dut.fp_rd_addr.value)
            self.data_fp = bf16_data.pack(self.state.fp[start : start + self.mlen])
        self._collect(requests[2], bool(requests[2] and allow_w))
        self.bubbles += not (requests[0] or requests[3])
        await FallingEdge(dut.clk)

    def _f_wanted(self) -> bool:
        """The f register may be looked at in the cycle after rd_done only."""
        return any(i is not None and i.read == self.cycle - 1 for i in self.live)

    def _collect(self, request: int, written: bool) -> None:
        dut = self.dut
        read_pulses, done_pulses = int(dut.slot_rd_done.value), int(dut.slot_done.value)
        expected_done = 0
        for slot in range(SLOTS):
            if read_pulses >> slot & 1:
                i = self.live[slot]
                assert i is not None and i.read < 0, f"slot {slot}: rd_done twice or of an empty slot"
                assert i is self.reads.pop(0), "reads out of order"
                i.read = self.cycle
        if request:
            i = self.writes[0]
            i.requested = self.cycle if i.requested < 0 else i.requested
            assert int(dut.wr_row.value) == i.d
            assert int(dut.wr_data.value) == i.expected, (
                f"op {i.op} row {i.d}: got\n{int(dut.wr_data.value):x}, expected\n{i.expected:x}"
            )
        if written:
            i = self.writes.pop(0)
            self.hw_rows[i.d] = i.expected
            expected_done |= 1 << i.slot
        assert int(dut.f_wen.value) == (self.reduced is not None)
        if self.reduced is not None:
            i = self.reduced
            assert (int(dut.f_wsel.value), int(dut.f_wdata.value)) == (i.f, i.expected), f"op {i.op} f{i.f}"
            if i.f:
                self.hw_f[i.f] = i.expected
        # A reduction is done a cycle before its f register is written.
        finished = [i for i in self.live if i and i.reduces and done_pulses >> i.slot & 1]
        assert len(finished) <= 1
        self.reduced = finished[0] if finished else None
        expected_done |= sum(1 << i.slot for i in finished)
        assert done_pulses == expected_done
        for slot in range(SLOTS):
            if done_pulses >> slot & 1:
                i = self.live[slot]
                assert i is not None and 0 <= i.read <= self.cycle
                i.done = self.cycle
                self.live[slot] = None

    async def drain(self, limit: int = 20000) -> None:
        """Play cycles until everything pushed is done, then compare the whole state."""
        end = self.cycle + limit
        while self.pushes or any(self.live) or self.reduced:
            assert self.cycle < end, "instructions hang"
            await self.step()
        assert self.hw_rows == [bf16_data.pack(row) for row in self.state.rows]
        assert self.hw_f == self.state.f


@cocotb.test()
@cocotb.parametrize(stalls=["none", "some", "many", "writes", "b", "one_bank"])
async def random_programs(dut: Dut, stalls: str) -> None:
    """Random programs over few rows, so that most instructions depend on others, under kinds of stalls."""
    bench = Bench(dut, seed=hash_of(stalls))
    await bench.start()
    bench.grant_a, bench.grant_b, bench.grant_w, bench.push_chance, bench.hold = {
        "none": (1.0, 1.0, 1.0, 1.0, 0),
        "some": (0.8, 0.8, 0.8, 0.9, 6),
        "many": (0.3, 0.3, 0.3, 0.5, 30),
        "writes": (1.0, 1.0, 0.15, 1.0, 0),
        "b": (1.0, 0.2, 1.0, 1.0, 0),
        "one_bank": (0.6, 1.0, 1.0, 1.0, 0),
    }[stalls]
    bench.one_read_port = stalls == "one_bank"
    forwarded = 0
    for rows in (4, ROWS):
        program = [random_instruction(bench.rng, bench.mlen, rows) for _ in range(250)]
        bench.add(program)
        await bench.drain()
        assert {i.op for i in program} == set(range(12))
        sources = sum(0 if i.op == MAP else 1 + i.two_rows for i in program)
        assert bench.row_reads <= sources, "a row is read once, or forwarded"
        forwarded += sources - bench.row_reads
        bench.row_reads = 0
    assert forwarded > 20 or stalls == "many"


@cocotb.test()
async def corners(dut: Dut) -> None:
    """Each operation on all pairs of corner values, with a mask that leaves lanes out."""
    bench = Bench(dut, seed=3)
    await bench.start()
    mlen, full = bench.mlen, (1 << bench.mlen) - 1
    pairs = np.array([(x, y) for x in bf16_data.CORNERS for y in bf16_data.CORNERS], dtype=np.uint16)
    pairs = np.resize(pairs, (-(-len(pairs) // mlen) * mlen, 2)).reshape(-1, mlen, 2)
    odd = sum(1 << e for e in range(mlen) if e % 5)
    batch = 12
    for start in range(0, len(pairs), batch):
        chunk = pairs[start : start + batch]
        for k, row in enumerate(chunk):
            bench.state.rows[k], bench.state.rows[batch + k] = row[:, 0].copy(), row[:, 1].copy()
        bench.hw_rows = [bf16_data.pack(row) for row in bench.state.rows]
        bench.state.f = [0, *bench.rng.sample(bf16_data.CORNERS, 7)]
        bench.hw_f = list(bench.state.f)
        bench.add(
            [
                Instruction(op, full if (op + k) % 6 else odd, k, batch + k, 2 * batch + k % 8, f=k % 8)
                for op in (ADD, SUB, MUL, RSUB, MAX, MIN, EXP, RECI, RED_SUM, RED_MAX)
                for k in range(len(chunk))
            ]
        )
        bench.add([Instruction(op, full, d=31, vf=True, f=1 + op) for op in (ADD, SUB, MUL, RSUB, MAX, MIN)])
        await bench.drain()


@cocotb.test()
async def a_row_every_cycle(dut: Dut) -> None:
    """Independent instructions issue in every cycle, elementwise, moved and reduced ones mixed."""
    bench = Bench(dut, seed=4)
    await bench.start()
    full = (1 << bench.mlen) - 1
    elementwise = [
        Instruction(op=k % 10, vf=k % 3 == 0, a=k % 8, b=8 + k % 8, d=16 + k % 16, f=1, mask=full)
        for k in range(60)
    ]
    bench.add(elementwise)
    await bench.drain()
    reads = [i.read for i in elementwise]
    assert reads == list(range(reads[0], reads[0] + 60)), reads
    short = [Instruction(RED_MAX, a=k % 8, f=1 + k % 7, mask=full) for k in range(7)]
    bench.add(short)
    await bench.drain()
    reads = [i.read for i in short]
    assert reads == list(range(reads[0], reads[0] + 7)), reads
    mixed = [
        Instruction(ADD if k % 2 else RED_SUM, a=k, b=k, d=16 + k, f=1 + k // 2, mask=full) for k in range(8)
    ]
    bench.add(mixed)
    await bench.drain()
    reads = [i.read for i in mixed]
    assert reads == list(range(reads[0], reads[0] + 8)), reads


@cocotb.test()
async def latencies(dut: Dut) -> None:
    """Write request 4 cycles after the read grant; a sum done log2(MLEN)+1 after it."""
    bench = Bench(dut, seed=5)
    await bench.start()
    depth = bench.mlen.bit_length() - 1
    full = (1 << bench.mlen) - 1
    for op in range(12):
        i = Instruction(op, a=1, b=2, d=3, f=2, mask=full, shift=1)
        bench.add([i])
        await bench.drain()
        assert i.read == i.pushed + 1
        expected = {RED_SUM: depth + 1, RED_MAX: (depth + 1) // 2 + 1}.get(op, 4)
        assert i.done - i.read == expected, f"op {op}: {i.done - i.read} cycles, expected {expected}"
        if not i.reduces:
            assert i.requested == i.read + 4
    # Dependent rows are forwarded: an instruction every 3 cycles, and no wait at 3 and 4 cycles behind.
    chain = [Instruction(ADD, vf=True, a=4, d=4, f=3, mask=full) for _ in range(4)]
    bench.add(chain)
    await bench.drain()
    assert [i.read - chain[0].read for i in chain] == [0, 3, 6, 9]
    for distance in range(1, 9):
        program = [Instruction(EXP, a=4, d=5, mask=full)]
        program += [Instruction(EXP, a=6, d=8 + k, mask=full) for k in range(distance - 1)]
        program += [Instruction(ADD, a=6, b=5, d=7, mask=full)]
        bench.add(program)
        await bench.drain()
        assert program[-1].read - program[0].read == max(3, distance)


@cocotb.test()
async def sums_and_maxima_share_the_write_port(dut: Dut) -> None:
    """A maximum that follows a sum at every distance: both arrive, and other work goes on."""
    bench = Bench(dut, seed=6)
    await bench.start()
    full = (1 << bench.mlen) - 1
    for distance in range(8):
        program = [Instruction(RED_SUM, a=0, f=1, mask=full), Instruction(RED_SUM, a=1, f=2, mask=full)]
        program += [Instruction(ADD, a=2, b=3, d=8 + k, mask=full) for k in range(distance)]
        program += [Instruction(RED_MAX, a=4, f=3, mask=full), Instruction(RED_MAX, a=5, f=4, mask=full)]
        bench.add(program)
        await bench.drain()
        assert len({i.done for i in program if i.reduces}) == 4


@cocotb.test()
async def flush_drops_what_waits(dut: Dut) -> None:
    """After a flush the waiting instructions have no effect and the next push goes to the next slot."""
    bench = Bench(dut, seed=7)
    await bench.start()
    full = (1 << bench.mlen) - 1
    for count in (1, 3, 8):
        before = [row.copy() for row in bench.state.rows]
        bench.add([Instruction(ADD, a=0, b=1, d=2, mask=full) for _ in range(count)])
        bench.hold = 0
        while bench.pushes:
            for i in bench.live:
                if i is not None:
                    i.hold_until = 1 << 60
            await bench.step()
            for i in bench.live:
                if i is not None:
                    i.hold_until = 1 << 60
        for _ in range(5):
            await bench.step()
        bench.live = [None] * SLOTS
        bench.reads.clear()
        bench.writes.clear()
        bench.state.rows = before
        dut.flush.value = 1
        await bench.step()
        dut.flush.value = 0
        for _ in range(10):
            await bench.step()
        bench.add([random_instruction(bench.rng, bench.mlen) for _ in range(12)])
        await bench.drain()


def hash_of(name: str) -> int:
    """A seed that is the same in every run."""
    return sum(ord(c) << k for k, c in enumerate(name))
