"""Protocol checker: legal traffic is silent; each rule is broken and must be the one that is reported."""

from __future__ import annotations

from collections.abc import Iterable

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge
from cocotb.types import LogicArray

from tb.engine.dut import Dut

RULES = (
    "AW_4K AR_4K AW_FORM AR_FORM AW_STABLE W_STABLE B_STABLE AR_STABLE R_STABLE "
    "W_LAST R_LAST R_OPEN B_OPEN KNOWN"
).split()
SIGNALS = (
    "awid awaddr awlen awsize awburst awvalid awready wdata wstrb wlast wvalid wready bid bresp bvalid "
    "bready arid araddr arlen arsize arburst arvalid arready rid rdata rresp rlast rvalid rready"
).split()

Cycle = dict[str, int | LogicArray]


def aw(address: int, beats: int = 1, id: int = 1, **more: int | LogicArray) -> Cycle:
    """A write address that is taken at once."""
    shape: Cycle = {"awid": id, "awaddr": address, "awlen": beats - 1, "awsize": 6, "awburst": 1}
    return {"awvalid": 1, "awready": 1, **shape, **more}


def ar(address: int, beats: int = 1, id: int = 1, **more: int | LogicArray) -> Cycle:
    """A read address that is taken at once."""
    shape: Cycle = {"arid": id, "araddr": address, "arlen": beats - 1, "arsize": 6, "arburst": 1}
    return {"arvalid": 1, "arready": 1, **shape, **more}


def w(last: int, data: int = 5, **more: int | LogicArray) -> Cycle:
    """A write beat that is taken at once."""
    return {"wvalid": 1, "wready": 1, "wdata": data, "wstrb": 1, "wlast": last, **more}


def b(id: int = 1, **more: int | LogicArray) -> Cycle:
    """A write response that is taken at once."""
    return {"bvalid": 1, "bready": 1, "bid": id, **more}


def r(last: int, id: int = 1, data: int = 7, **more: int | LogicArray) -> Cycle:
    """A read beat that is taken at once."""
    return {"rvalid": 1, "rready": 1, "rid": id, "rdata": data, "rlast": last, **more}


async def play(dut: Dut, cycles: Iterable[Cycle]) -> set[str]:
    """Reset, drive the cycles one by one, and return the names of the rules that were broken."""
    for name in SIGNALS:
        getattr(dut, name).value = 0
    dut.rst.value = 1
    await FallingEdge(dut.clk)
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    await FallingEdge(dut.clk)
    for cycle in cycles:
        for name in SIGNALS:
            getattr(dut, name).value = cycle.get(name, 0)
        await FallingEdge(dut.clk)
    for name in SIGNALS:
        getattr(dut, name).value = 0
    await FallingEdge(dut.clk)
    violated = int(dut.violated.value)
    assert (int(dut.errors.value) != 0) == (violated != 0)
    return {rule for i, rule in enumerate(RULES) if violated >> i & 1}


LEGAL: dict[str, list[Cycle]] = {
    "nothing": [],
    "read up to the boundary": [ar(4096 - 128, 2), r(0), r(1)],
    "a whole page": [ar(4096, 64), *[r(0)] * 63, r(1)],
    "narrow beats": [ar(4096 - 8, 2, arsize=2), r(0), r(1)],
    "ids interleave": [ar(0, 2, 1), ar(64, 2, 2), r(0, 1), r(0, 2), r(1, 1), r(1, 2)],
    "same id in order": [ar(0, 1), ar(64, 3), r(1), r(0), r(0), r(1)],
    "write": [aw(4096 - 64) | w(1), b()],
    "data before address": [w(0), w(1), aw(0, 2), b()],
    "two writes": [aw(0, 2), w(0) | aw(640, 1, 3), w(1), w(1), b(3), b(1)],
    "stalls": [ar(64, arready=0), ar(64) | aw(0, awready=0), aw(0) | w(1, wready=0), w(1) | r(1, rready=0),
               r(1), b(bready=0), b()],
    "unequal traffic": [ar(0) | aw(0) | w(1), r(1) | b()],
}  # fmt: skip

X = LogicArray("X")

ILLEGAL: list[tuple[str, str, list[Cycle]]] = [
    ("AR_4K", "one beat over", [ar(4096 - 64, 2)]),
    ("AW_4K", "one beat over", [aw(8192 - 128, 3)]),
    ("AR_4K", "narrow beats", [ar(4096 - 4, 2, arsize=2)]),
    ("AR_FORM", "reserved type", [ar(0, arburst=3)]),
    ("AR_FORM", "beats of 128 bytes", [ar(0, arsize=7)]),
    ("AW_FORM", "reserved type", [aw(0, awburst=3)]),
    ("AW_FORM", "beats of 128 bytes", [aw(0, awsize=7)]),
    ("AW_STABLE", "withdrawn", [aw(0, awready=0), {}]),
    ("AW_STABLE", "address", [aw(0, awready=0), aw(64)]),
    ("AW_STABLE", "length", [aw(0, 1, awready=0), aw(0, 2)]),
    ("W_STABLE", "withdrawn", [aw(0), w(1, wready=0), {}]),
    ("W_STABLE", "data", [aw(0), w(1, 1 << 511, wready=0), w(1, 0)]),
    ("W_STABLE", "strobes", [aw(0), w(1, wready=0), w(1, wstrb=3)]),
    ("B_STABLE", "withdrawn", [aw(0) | w(1), b(bready=0), {}]),
    ("B_STABLE", "response", [aw(0) | w(1), b(bready=0), b(bresp=2)]),
    ("AR_STABLE", "withdrawn", [ar(0, arready=0), {}]),
    ("AR_STABLE", "id", [ar(0, arready=0), ar(0, id=2)]),
    ("R_STABLE", "withdrawn", [ar(0), r(1, rready=0), {}]),
    ("R_STABLE", "data", [ar(0), r(1, data=1, rready=0), r(1, data=2)]),
    ("W_LAST", "early", [aw(0, 2), w(1)]),
    ("W_LAST", "missing", [aw(0, 2), w(0), w(0)]),
    ("W_LAST", "early, address later", [w(1), aw(0, 2)]),
    ("W_LAST", "late, address later", [w(0), w(0), w(1), aw(0, 2)]),
    ("R_LAST", "early", [ar(0, 2), r(1)]),
    ("R_LAST", "missing", [ar(0, 2), r(0), r(0)]),
    ("R_LAST", "out of order", [ar(0, 2), ar(128, 1), r(1)]),
    ("R_OPEN", "never asked", [r(1)]),
    ("R_OPEN", "another id", [ar(0, id=1), r(1, id=2)]),
    ("R_OPEN", "twice", [ar(0), r(1), r(1)]),
    ("B_OPEN", "no write", [b()]),
    ("B_OPEN", "data not sent", [aw(0), b()]),
    ("B_OPEN", "address not sent", [w(1), b()]),
    ("B_OPEN", "another id", [aw(0, id=1) | w(1), b(id=2)]),
    ("B_OPEN", "twice", [aw(0) | w(1), b(), b()]),
]


def unknown(name: str) -> list[Cycle]:
    """One cycle in which a signal is X."""
    return [{name: X}]


UNKNOWN: list[tuple[str, str, list[Cycle]]] = [
    *(("KNOWN", f"{name} is X", unknown(name)) for name in SIGNALS if name.endswith(("valid", "ready"))),
    ("KNOWN", "address is X", [ar(0, araddr=LogicArray("X" * 64))]),
    ("KNOWN", "address is X", [aw(0, awaddr=LogicArray("X" * 64)) | w(1)]),
]  # fmt: skip


@cocotb.test()
async def rules(dut: Dut) -> None:
    """Each script of cycles gives exactly the rule it names."""
    Clock(dut.clk, 2, "ns").start()
    for title, cycles in LEGAL.items():
        assert await play(dut, cycles) == set(), title
    scripts = list(ILLEGAL)
    if "Icarus" in cocotb.SIM_NAME:  # Verilator has two states only
        scripts += UNKNOWN
    for rule, title, cycles in scripts:
        assert await play(dut, cycles) == {rule}, f"{rule}: {title}"
    assert {rule for rule, _, _ in [*ILLEGAL, *UNKNOWN]} == set(RULES)
