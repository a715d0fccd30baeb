"""Scoreboard against resources as Python sets: nothing is ready early or late; each waits for its reason."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from tb.engine.dut import Dut
from tb.engine.simulate import parameter

UNITS = ("M", "V", "F", "H")
#: Kinds of resources in the order of the bits of `hazards`.
KINDS = ("f", "row", "tile", "word", "hbm")


@dataclass
class Instruction:
    """What one instruction reads and writes, as sets of (kind, number)."""

    unit: str
    slot: int
    reads: set[tuple[str, int]] = field(default_factory=set)
    writes: set[tuple[str, int]] = field(default_factory=set)
    read_pending: bool = True
    wait_done: list[tuple[Instruction, set[str]]] = field(default_factory=list)
    wait_read: list[tuple[Instruction, set[str]]] = field(default_factory=list)

    @property
    def hazards(self) -> set[str]:
        """Kinds of resources that it still waits for."""
        return set().union(*(kinds for _, kinds in self.wait_done + self.wait_read))


def depends(new: Instruction, old: Instruction) -> tuple[set[str], set[str]]:
    """Kinds of resources for which new waits (until old is done, until old has read its sources).

    What in-order units promise is left out. Transfers wait for one another to keep the order of HBM, whatever
    else they share.
    """
    raw = new.reads & old.writes
    waw = new.writes & old.writes
    war = new.writes & old.reads
    if new.unit == old.unit == "V":
        raw = {r for r in raw if r[0] != "row"}
    if new.unit == old.unit and new.unit != "F":
        waw = {r for r in waw if r[0] in ("f", "word")}
        war = {r for r in war if r[0] in ("f", "word") or (r[0] == "row" and new.unit == "H")}
    hbm = ("hbm", 0)
    until_done = {kind for kind, _ in raw | waw | ({hbm} & new.writes & old.reads)}
    until_read = {kind for kind, _ in war - {hbm}}
    if new.unit == old.unit == "H":
        return until_done and {"hbm"}, until_read and {"hbm"}
    return until_done, until_read


def draw(rng: random.Random, unit: str, dut: Dut) -> Instruction:
    """Draw an instruction, drive the descriptor ports, and return what it touches."""
    rows, tiles, words = 1 << parameter("VRW"), 1 << parameter("TW"), 1 << parameter("FAW")
    new = Instruction(unit, -1)
    port = {
        name: 0
        for name in (
            "n_ra",
            "n_ra_lo",
            "n_ra_hi",
            "n_rb",
            "n_rb_row",
            "n_w",
            "n_w_lo",
            "n_w_hi",
            "n_f_read",
            "n_f_write",
            "n_t_read",
            "n_t_write",
            "n_tile",
            "n_p_read",
            "n_p_write",
            "n_p_lo",
            "n_p_hi",
        )
    }

    def interval(size: int) -> tuple[int, int]:
        low = rng.randrange(rows // 4 - size)
        return low, low + size - 1

    def touch(kind: str, low: int, high: int, target: set[tuple[str, int]]) -> None:
        target.update((kind, i) for i in range(low, high + 1))

    def read_rows(size: int) -> None:
        low, high = interval(size)
        port.update(n_ra=1, n_ra_lo=low, n_ra_hi=high)
        touch("row", low, high, new.reads)

    def write_rows(size: int) -> None:
        low, high = interval(size)
        port.update(n_w=1, n_w_lo=low, n_w_hi=high)
        touch("row", low, high, new.writes)

    def floats(reads: int, writes: int) -> None:
        for name, count, target in (("n_f_read", reads, new.reads), ("n_f_write", writes, new.writes)):
            for _ in range(count):
                register = rng.randrange(1, 8)
                port[name] |= 1 << register
                target.add(("f", register))

    tile = rng.randrange(tiles)
    if unit == "M":
        if rng.random() < 0.5:
            read_rows(4)
            port.update(n_t_read=1, n_tile=tile)
            new.reads.add(("tile", tile))
        else:
            write_rows(4)
    elif unit == "V":
        kind = rng.randrange(5)
        if kind == 0:
            read_rows(1)
            row = rng.randrange(rows // 4)
            port.update(n_rb=1, n_rb_row=row)
            new.reads.add(("row", row))
            write_rows(1)
        elif kind == 1:
            read_rows(1)
            write_rows(1)
            floats(1, 0)
        elif kind == 2:
            read_rows(1)
            floats(0, 1)
            port["n_f_read"] = port["n_f_write"]
            new.reads |= {r for r in new.writes if r[0] == "f"}
        elif kind == 3:
            write_rows(1)
            low = rng.randrange(words - 8)
            port.update(n_p_read=1, n_p_lo=low, n_p_hi=low + 7)
            touch("word", low, low + 7, new.reads)
        else:
            read_rows(3)
            low = rng.randrange(words - 4)
            port.update(n_p_write=1, n_p_lo=low, n_p_hi=low + 3)
            touch("word", low, low + 3, new.writes)
    elif unit == "F":
        kind, word = rng.randrange(3), rng.randrange(words)
        if kind == 0:
            floats(2, 1)
        elif kind == 1:
            floats(0, 1)
            port.update(n_p_read=1, n_p_lo=word, n_p_hi=word)
            new.reads.add(("word", word))
        else:
            floats(1, 0)
            port.update(n_p_write=1, n_p_lo=word, n_p_hi=word)
            new.writes.add(("word", word))
    else:
        kind = rng.randrange(3)
        if kind == 0:
            port.update(n_t_write=1, n_tile=tile)
            new.writes.add(("tile", tile))
            new.reads.add(("hbm", 0))
        elif kind == 1:
            write_rows(4)
            new.reads.add(("hbm", 0))
        else:
            read_rows(4)
            new.writes.add(("hbm", 0))
    for name, value in port.items():
        getattr(dut, name).value = value
    return new


@cocotb.test()
async def waits_for_every_hazard_and_no_longer(dut: Dut) -> None:
    rng = random.Random(2)
    sizes = {"M": parameter("NM"), "V": parameter("NV"), "F": parameter("NF"), "H": parameter("NH")}
    first = {"M": 0, "V": sizes["M"], "F": sizes["M"] + sizes["V"], "H": sum(sizes.values()) - sizes["H"]}
    Clock(dut.clk, 2, "ns").start()
    for name in ("push", "rd_done", "done", "fault", "hbm_idle", "n_pc"):
        getattr(dut, name).value = 0
    dut.rst.value = dut.flush.value = 1
    await FallingEdge(dut.clk)
    await FallingEdge(dut.clk)
    dut.rst.value = dut.flush.value = 0
    following = dict.fromkeys(UNITS, 0)
    live: dict[int, Instruction] = {}
    pushed = hazards = 0
    seen = {(unit, kind): 0 for unit in UNITS for kind in KINDS}
    for _ in range(8000):
        heads = {unit: rng.randrange(sizes[unit]) for unit in UNITS}
        for unit, head in heads.items():
            getattr(dut, f"head_{unit.lower()}").value = head
        await Timer(100, "ps")
        for number, (unit, head) in enumerate(heads.items()):
            if first[unit] + head in live:
                reasons = live[first[unit] + head].hazards
                bits = int(dut.hazards.value) >> 5 * number & 31
                assert bits == sum(1 << KINDS.index(kind) for kind in reasons), (unit, bits, reasons)
                for kind in reasons:
                    seen[unit, kind] += 1
        ready = int(dut.ready.value)
        for slot, instruction in live.items():
            waits = bool(instruction.wait_done or instruction.wait_read)
            assert (ready >> slot & 1) == (not waits), f"slot {slot} of {instruction.unit}"
        assert ready >> sum(sizes.values()) == 0
        assert int(dut.idle.value) == (not live)
        done, read = set(), set()
        for slot, instruction in live.items():
            if ready >> slot & 1:
                if rng.random() < 0.25:
                    done.add(slot)
                elif instruction.read_pending and rng.random() < 0.3:
                    read.add(slot)
        unit = rng.choice(UNITS)
        slot = first[unit] + following[unit]
        assert (int(dut.free.value) >> UNITS.index(unit) & 1) == (slot not in live)
        new = None
        dut.push.value = 0
        if slot not in live and rng.random() < 0.8:
            new = draw(rng, unit, dut)
            new.slot = slot
            dut.push.value = 1 << UNITS.index(unit)
            following[unit] = (following[unit] + 1) % sizes[unit]
        dut.done.value = sum(1 << s for s in done)
        dut.rd_done.value = sum(1 << s for s in read)
        await FallingEdge(dut.clk)
        for s in done | read:
            live[s].read_pending = False
            for instruction in live.values():
                instruction.wait_read = [wait for wait in instruction.wait_read if wait[0] is not live[s]]
                if s in done:
                    instruction.wait_done = [wait for wait in instruction.wait_done if wait[0] is not live[s]]
        for s in done:
            del live[s]
        if new is not None:
            for old in live.values():
                until_done, until_read = depends(new, old)
                if until_done:
                    new.wait_done.append((old, until_done))
                if until_read and old.read_pending:
                    new.wait_read.append((old, until_read))
            hazards += bool(new.wait_done or new.wait_read)
            pushed += 1
            live[slot] = new
    assert pushed > 2000 and hazards > 500, (pushed, hazards)
    possible = ("M row", "M tile", "V f", "V row", "V word", "F f", "F word", "H row", "H tile", "H hbm")
    assert {" ".join(pair) for pair, count in seen.items() if count > 20} == set(possible), seen
