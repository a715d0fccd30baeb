"""Where the cycles of a run go, stage by stage of its assembly text, from the trace of retired instructions.

An instruction is charged with the cycles since the one before it retired. It retires when it is dispatched,
so a stage also pays for what an earlier one left in the queues; docs/plena_tools.md names the fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from plena_ref.isa import instructions as isa
from plena_ref.isa.access import Count, Space
from plena_ref.machine.hardware import Hardware

#: The cycles after the last instruction, in which everything that was issued completes.
DRAIN = "(drain)"
#: Units by the name of their count of instructions.
UNITS = {
    isa.Unit.M: "matrix",
    isa.Unit.V: "vector",
    isa.Unit.F: "float",
    isa.Unit.H: "hbm",
    isa.Unit.INT: "integer",
    isa.Unit.CTRL: "control",
}
_TABLE_ROWS = 24
_CAVEAT = (
    "Stages are the comment lines of the assembly text. Cycles are those between retirements; bytes are "
    "those that the transfers of the stage name, without the rest of each beat."
)


@dataclass(frozen=True)
class _Work:
    """What one instruction asks of the machine."""

    unit: str
    macs: int
    rows: int
    read: int
    written: int


@dataclass
class StageUse:
    """The use of the machine by one stage; `units` counts instructions by unit."""

    name: str
    instructions: int
    cycles: int
    stall_cycles: int
    units: dict[str, int]
    macs: int
    vector_rows: int
    hbm_bytes_read: int
    hbm_bytes_written: int


def _work(word: int, hw: Hardware) -> _Work:
    """Multiply-accumulates, rows of the vector unit, and HBM bytes of an instruction (docs/isa.md)."""
    entry = isa.BY_OPCODE[isa.opcode(word)]
    macs = {
        "BLOCK_PRODUCT": hw.blen * hw.blen * hw.mlen,
        "BLOCK_PRODUCT_T": hw.blen * hw.blen * hw.mlen,
        "ROW_PRODUCT": hw.blen * hw.mlen,
        "ROW_PRODUCT_T": hw.blen * hw.mlen,
        "HEAD_PRODUCT": hw.mlen**3,
        "HEAD_ROW_PRODUCT": hw.mlen**2,
    }.get(entry.shape.name, 0)
    rows = int(entry.unit is isa.Unit.V)
    if entry.shape.name == "TOPK":
        rows = max(1, (128 if isa.RS3.get(word) else 32) // hw.mlen)
    form = hw.hbm_format("m" if entry.shape.name == "PREFETCH_TILE" else "v", isa.FUNCT1.get(word))
    row = form.row_bytes(hw.mlen)
    moved = row + form.scale_bytes(row)
    counts = {Count.MLEN: hw.mlen, Count.VPREF: hw.vpref, Count.VSTORE: hw.vstore}
    read, written = (
        sum(counts[a.count] * moved for a in accesses if a.space is Space.HBM)
        for accesses in (entry.shape.reads, entry.shape.writes)
    )
    return _Work(UNITS[entry.unit], macs, rows, read, written)


def profile(
    trace: NDArray[np.uint32], cycles: int, names: Sequence[str], words: Sequence[int], hw: Hardware
) -> list[StageUse]:
    """The use of the machine by each stage, in the order in which the stages stand in the text.

    Args:
        trace: (pc, word, cycle) of every retired instruction.
        cycles: of the whole run.
        names: stage of each instruction by pc.
        words: the program.
        hw: the machine.
    """
    order = list(dict.fromkeys(names))
    stage_of_pc = np.array(_numbers(names, order))
    pcs, at = trace[:, 0].astype(np.int64), trace[:, 2].astype(np.int64)
    stage = stage_of_pc[pcs]
    spent = np.diff(at, prepend=0)
    stalls = np.maximum(spent - 1, 0)
    count, size = np.bincount(pcs, minlength=len(words)), len(order)
    uses = [
        StageUse(name, int(n), int(c), int(s), dict.fromkeys(UNITS.values(), 0), 0, 0, 0, 0)
        for name, n, c, s in zip(
            order,
            np.bincount(stage, minlength=size),
            np.bincount(stage, spent, minlength=size),
            np.bincount(stage, stalls, minlength=size),
            strict=True,
        )
    ]
    known: dict[int, _Work] = {}
    for pc in np.flatnonzero(count):
        word, times, use = int(words[int(pc)]), int(count[pc]), uses[stage_of_pc[pc]]
        work = known.get(word) or known.setdefault(word, _work(word, hw))
        use.units[work.unit] += times
        use.macs += times * work.macs
        use.vector_rows += times * work.rows
        use.hbm_bytes_read += times * work.read
        use.hbm_bytes_written += times * work.written
    rest = cycles - (int(at[-1]) if at.size else 0)
    uses.append(StageUse(DRAIN, 0, rest, rest, dict.fromkeys(UNITS.values(), 0), 0, 0, 0, 0))
    return uses


def _numbers(names: Sequence[str], order: Sequence[str]) -> list[int]:
    """The place of each name in `order`."""
    place = {name: number for number, name in enumerate(order)}
    return [place[name] for name in names]


def to_json(uses: Sequence[StageUse], hw: Hardware, period_ns: float, labels: int) -> dict[str, object]:
    """The profile as a file of it holds it; `labels` is the number of instructions in the text."""
    instructions = sum(use.instructions for use in uses)
    cycles = sum(use.cycles for use in uses)
    return {
        "schema_version": 1,
        "label_count": labels,
        "total_instructions_executed": instructions,
        "total_cycles": cycles,
        "total_profiled_seconds": cycles * period_ns * 1e-9,
        "total_hbm_bytes_read": sum(use.hbm_bytes_read for use in uses),
        "total_hbm_bytes_written": sum(use.hbm_bytes_written for use in uses),
        "stages": {
            use.name: {
                "instructions": use.instructions,
                "cycles": use.cycles,
                "stall_cycles": use.stall_cycles,
                "seconds": use.cycles * period_ns * 1e-9,
                "instruction_fraction": use.instructions / max(instructions, 1),
                "time_fraction": use.cycles / max(cycles, 1),
                "hbm_bytes_read": use.hbm_bytes_read,
                "hbm_bytes_written": use.hbm_bytes_written,
                "unit_instructions": use.units,
                "macs": use.macs,
                "vector_rows": use.vector_rows,
                "array_use": use.macs / max(hw.blen * hw.mlen * use.cycles, 1),
                "vector_use": use.vector_rows / max(use.cycles, 1),
            }
            for use in uses
        },
        "pairs": {},
        "caveat": _CAVEAT,
    }


def print_table(uses: Sequence[StageUse], hw: Hardware, console: Console) -> None:
    """Print a line a stage; of many stages those that take most of the cycles."""
    cycles = max(sum(use.cycles for use in uses), 1)
    shown = sorted(uses, key=lambda use: -use.cycles)[:_TABLE_ROWS]
    table = Table(title="cycles by stage", title_justify="left")
    table.add_column("stage", overflow="fold", max_width=44)
    for name in ("instructions", "cycles", "%", "stalls", "M/V/F/H/INT/CTRL", "array", "vector"):
        table.add_column(name, justify="right", no_wrap=True)
    for use in (use for use in uses if any(use is one for one in shown)):
        table.add_row(
            use.name.replace("[", r"\["),
            str(use.instructions),
            str(use.cycles),
            f"{100 * use.cycles / cycles:.1f}",
            str(use.stall_cycles),
            "/".join(str(use.units[name]) for name in UNITS.values()),
            f"{100 * use.macs / max(hw.blen * hw.mlen * use.cycles, 1):.0f}%",
            f"{100 * use.vector_rows / max(use.cycles, 1):.0f}%",
        )
    console.print(table)
    if len(shown) < len(uses):
        console.print(f"  and {len(uses) - len(shown)} stages with fewer cycles; stage_profile.json has all")
