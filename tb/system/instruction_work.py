"""What the counters must count for an instruction, by hand from docs/isa.md, and for a trace of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.counters import QUEUES
from plena_ref.machine.hardware import Hardware
from tb.bench.harness import JobResult

#: Name of the counter of retired instructions, by unit of the instruction table.
INSTRUCTIONS = {
    isa.Unit.INT: "integer_instructions",
    isa.Unit.CTRL: "control_instructions",
    isa.Unit.M: "matrix_instructions",
    isa.Unit.V: "vector_instructions",
    isa.Unit.F: "float_instructions",
    isa.Unit.H: "hbm_instructions",
}


def work_of(mnemonic: str, policy: int, hw: Hardware) -> tuple[int, int]:
    """Useful multiply-accumulates and vector rows of one instruction (docs/isa.md, "Matrix instructions").

    Args:
        mnemonic: as in the assembly text.
        policy: the operand of V_TOPK: 0 takes 32 logits, 1 takes 128; anything for the others.
        hw: machine shape.
    """
    macs = {
        **dict.fromkeys(("M_MM", "M_TMM"), hw.blen * hw.blen * hw.mlen),
        **dict.fromkeys(("M_MV", "M_TMV"), hw.blen * hw.mlen),
        **dict.fromkeys(("M_BMM", "M_BTMM"), hw.mlen**3),
        **dict.fromkeys(("M_BMV", "M_BTMV"), hw.mlen**2),
    }
    if mnemonic == "V_TOPK":
        return 0, max(1, (128 if policy else 32) // hw.mlen)
    return macs.get(mnemonic, 0), int(mnemonic.startswith("V_") or mnemonic == "S_MAP_V_FP")


def work_in(trace: NDArray[np.uint32], hw: Hardware) -> dict[str, int]:
    """Instructions a unit, multiply-accumulates and vector rows of a trace of retired instructions."""
    totals = dict.fromkeys([*INSTRUCTIONS.values(), "macs", "vector_rows"], 0)
    for word, count in Counter(int(word) for word in trace[:, 1]).items():
        entry = isa.BY_OPCODE[isa.opcode(word)]
        macs, rows = work_of(entry.mnemonic, isa.RS3.get(word), hw)
        totals[INSTRUCTIONS[entry.unit]] += count
        totals["macs"] += count * macs
        totals["vector_rows"] += count * rows
    return totals


def check_against_trace(name: str, result: JobResult, hw: Hardware) -> None:
    """The sum rules, and everything that the trace and the bus tell about a run that began with a start."""
    counters, trace = result.counters, result.trace
    assert trace is not None
    for group in ("dispatch", *QUEUES):
        assert sum(getattr(counters, group).values()) == result.cycles, (name, group)
    cycles = Counter(int(cycle) for cycle in trace[:, 2])
    assert max(cycles, default=0) < result.cycles, name
    alone = sum(count == 1 for count in cycles.values())
    assert (counters.dispatch["one"], counters.dispatch["two"]) == (alone, len(cycles) - alone), name
    wanted = work_in(trace, hw)
    assert {key: counters.totals[key] for key in wanted} == wanted, name
    assert sum(wanted[key] for key in INSTRUCTIONS.values()) == result.instructions, name
    assert (counters.totals["read_beats"], counters.totals["write_beats"]) == result.bus_beats, name
    check_against_bench(name, result, wanted, hw)
    if result.status == "stopped":
        # An instruction issues once; pairs and rows are counted one by one.
        assert counters.matrix["issue"] >= wanted["macs"] // (hw.blen * hw.mlen), name
        assert counters.vector["issue"] == wanted["vector_rows"], name
        assert counters.float["issue"] == wanted["float_instructions"], name


def check_against_bench(name: str, result: JobResult, wanted: dict[str, int], hw: Hardware) -> None:
    """Lines and withheld writes as the bench counted them, and when a unit can have been busy."""
    counters, totals, observed = result.counters, result.counters.totals, result.observed
    for key in ("fetch_lines", "matrix_write_refused", "vector_write_refused", "hbm_write_refused"):
        assert totals[key] == observed[key], (name, key)
    issues = {
        # The last product may be about to enter the array when the program stops.
        "matrix": wanted["macs"] // (hw.blen * hw.mlen) - 1,
        "vector": counters.vector["issue"],
        "float": counters.float["issue"],
        "hbm": observed["open_cycles"],
    }
    for unit, least in issues.items():
        busy = totals[f"{unit}_busy"]
        assert least <= busy <= result.cycles, (name, unit, least, busy)
        assert busy == 0 or wanted[f"{unit}_instructions"], (name, unit, busy)
    assert totals["hbm_busy"] == result.cycles - counters.hbm["empty"], name
