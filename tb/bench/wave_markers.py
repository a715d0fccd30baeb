"""Where to look in the waves of a run: stages of its program, its first wrong instruction, a place by name.

All of it is read from the run's folder: the numbered listing, the trace of retired instructions, result.json.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.encoding import Unit
from tb.bench import wave_places

#: The groups of the units that have queues.
_GROUPS = {Unit.M: "matrix unit", Unit.V: "vector unit", Unit.F: "float unit", Unit.H: "HBM unit"}
#: Stages that are marked at most.
MOST_STAGES = 24


def trace_of(folder: Path) -> NDArray[np.uint32]:
    """The retired instructions of a run: uint32[n, 3] of pc, word and cycle; none without a trace."""
    file = folder / "trace.npy"
    return np.load(file) if file.exists() else np.zeros((0, 3), np.uint32)


def stages(folder: Path) -> list[tuple[int, str]]:
    """The cycle in which each outermost part of the program first retires an instruction, and its comment."""
    listing, trace = folder / "program.lst", trace_of(folder)
    if not listing.exists() or not len(trace):
        return []
    first = dict(zip(trace[::-1, 0].tolist(), trace[::-1, 2].tolist(), strict=True))
    return [(first[pc], name) for pc, name in wave_places.sections(listing.read_text()) if pc in first]


def marked(folder: Path) -> list[tuple[int, str]]:
    """The stages that have markers: all, or of too many every second, third, .. one."""
    found = stages(folder)
    return found[:: -(-len(found) // MOST_STAGES) or 1]


def first_wrong(folder: Path) -> int | None:
    """The cycle of the first wrong instruction, where the run failed and it was found."""
    try:
        culprit = (json.loads((folder / "result.json").read_text()).get("account") or {}).get("culprit")
    except (OSError, ValueError):
        return None
    return None if not culprit else int(culprit["cycle"])


def unit_at(folder: Path, cycle: int) -> str:
    """The title of the group of the unit whose instruction retires first from a cycle on."""
    rows = trace_of(folder)
    for word in rows[rows[:, 2] >= cycle, 1].tolist():
        entry = isa.BY_OPCODE.get(isa.opcode(word))
        if entry is not None and entry.unit in _GROUPS:
            return _GROUPS[entry.unit]
    return "frontend"


def cycle_of(folder: Path, text: str) -> int:
    """The cycle of a place: `700` or `cycle:700`, `pc:131` (its first pass), `stage:batches` or `wrong`.

    Raises:
        WavePlaceError: the run has no such place.
    """
    place = wave_places.read("AT", text, ("wrong",))
    if place.kind == "wrong":
        cycle = first_wrong(folder)
        if cycle is None:
            raise place.error("no wrong instruction is known")
        return cycle
    if place.kind == "cycle":
        return place.number
    if place.kind == "pc":
        pc = place.number
    else:
        listing = folder / "program.lst"
        pc = wave_places.part_of(place, listing.read_text() if listing.exists() else "").pc
    rows = trace_of(folder)
    hits = rows[rows[:, 0] == pc, 2]
    if not len(hits):
        raise place.error(f"no instruction at pc {pc} retired")
    return int(hits[0])
