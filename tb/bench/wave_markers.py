"""Where to look in the waves of a run: stages of its program, its first wrong instruction, a place by name.

All of it is read from the run's folder: the numbered listing, the trace of retired instructions, result.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa import instructions as isa
from plena_ref.isa.encoding import Unit

#: A line of program.lst: indentation, pc, and the comment after both.
_INSTRUCTION = re.compile(r"^( *)\S.*; +(\d+) 0x[0-9A-F]{8}(?: \| (.*))?$")
_COMMENT = re.compile(r"^; (.*)$")
#: The groups of the units that have queues.
_GROUPS = {Unit.M: "matrix unit", Unit.V: "vector unit", Unit.F: "float unit", Unit.H: "HBM unit"}
#: Stages that are marked at most.
MOST_STAGES = 24


class PlaceError(ValueError):
    """A place that a run does not have; the message says what there is."""


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
    found = [(first[pc], name) for pc, name in sections(listing.read_text()) if pc in first]
    return found[:: -(-len(found) // MOST_STAGES) or 1]


def sections(listing: str) -> Iterator[tuple[int, str]]:
    """The pc at which each outermost part of a numbered listing begins, and its comment."""
    pending = ""
    for number, line in enumerate(listing.splitlines()):
        comment, instruction = _COMMENT.match(line), _INSTRUCTION.match(line)
        if comment and number:
            pending = comment[1]
        elif instruction and not instruction[1]:
            loop = line.startswith("C_LOOP_START")
            name = (instruction[3] or "") if loop else pending
            if name:
                yield int(instruction[2]), name
            pending = ""
        elif instruction and pending:
            # A comment whose part is indented belongs to the loop around it.
            pending = ""


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


def cycle_of(folder: Path, place: str) -> int:
    """The cycle of a place: `700` or `cycle:700`, `pc:131` (its first pass), `stage:softmax` or `wrong`.

    Raises:
        PlaceError: the run has no such place.
    """
    kind, _, name = place.partition(":") if ":" in place else ("cycle", "", place)
    if place == "wrong":
        cycle = first_wrong(folder)
        if cycle is None:
            raise PlaceError(f"AT={place}: no wrong instruction is known")
        return cycle
    if kind in ("cycle", "pc") and not name.isdigit():
        raise PlaceError(f"AT={place}: give cycle:700, pc:131, stage:name or wrong")
    if kind == "cycle":
        return int(name)
    if kind == "pc":
        rows = trace_of(folder)
        hits = rows[rows[:, 0] == int(name), 2]
        if not len(hits):
            raise PlaceError(f"AT={place}: no instruction at pc {name} retired")
        return int(hits[0])
    known = stages(folder)
    for cycle, title in known if kind == "stage" else ():
        if name.lower() in title.lower():
            return cycle
    raise PlaceError(f"AT={place}: there are {', '.join(title for _, title in known) or 'no stages'}")
