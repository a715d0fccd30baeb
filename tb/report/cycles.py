"""Where the cycles went: a bar for each unit, and what dispatch did and waited for over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.instructions import BY_OPCODE, opcode
from tb.report.markup import section, table, text

#: Bins of the picture over time, and its size.
_BINS, _WIDTH, _HEIGHT = 150, 900, 120
#: What a cycle may be: two or one instruction dispatched, waiting for the next one of a unit, drain.
_KINDS = ("two", "one", "m", "v", "f", "h", "int", "ctrl", "drain")
_NAMES = {
    "two": "two instructions",
    "one": "one",
    "m": "waits to dispatch a matrix instruction",
    "v": "vector",
    "f": "float",
    "h": "HBM",
    "int": "integer",
    "ctrl": "control",
    "drain": "drains",
}


def section_of(trace: NDArray[np.uint32], cycles: int, rows: Sequence[tuple[str, str]], summary: str) -> str:
    """The section.

    Args:
        trace: retired instructions, (pc, word, cycle).
        cycles: of the whole run.
        rows: of each unit the shares of the cycles by reason, in words.
        summary: the bound and the utilisation in words.
    """
    return section(
        "cycles",
        "Cycles",
        f"<p>{text(summary)}</p>"
        + table(("unit", "cycles by reason"), rows, "cycles by reason")
        + _over_time(trace, cycles),
    )


def kinds_of_cycles(trace: NDArray[np.uint32], cycles: int) -> NDArray[np.int64]:
    """The kind of each cycle as an index of `_KINDS`: int64[cycles]."""
    at = np.minimum(trace[:, 2].astype(np.int64), cycles - 1)
    units = [BY_OPCODE[opcode(int(word))].unit.name.lower() for word in trace[:, 1]]
    waits = np.array([_KINDS.index(unit) for unit in units], np.int64)
    kinds = np.full(cycles, _KINDS.index("drain"), np.int64)
    # A cycle without an instruction waits for the next one.
    following = np.searchsorted(at, np.arange(cycles))
    inside = following < len(at)
    kinds[inside] = waits[following[inside]]
    count = np.bincount(at, minlength=cycles)
    kinds[count == 1] = _KINDS.index("one")
    kinds[count >= 2] = _KINDS.index("two")
    return kinds


def _over_time(trace: NDArray[np.uint32], cycles: int) -> str:
    """The picture: a column a stretch of cycles, stacked by kind."""
    if not len(trace) or cycles <= 0:
        return ""
    kinds = kinds_of_cycles(trace, cycles)
    bins = min(_BINS, cycles)
    edges = np.linspace(0, cycles, bins + 1).astype(int)
    width = _WIDTH / bins
    shapes = []
    for number, (start, stop) in enumerate(pairwise(edges)):
        shares = np.bincount(kinds[start:stop], minlength=len(_KINDS)) / (stop - start)
        top = 0.0
        for kind, share in zip(_KINDS, shares, strict=True):
            if share:
                shapes.append(
                    f'<rect class="u-{kind}" x="{number * width:.1f}" y="{top:.1f}" '
                    f'width="{width + 0.2:.1f}" height="{share * _HEIGHT:.1f}"/>'
                )
                top += share * _HEIGHT
    anchors = ("start", "middle", "middle", "middle", "end")
    marks = "".join(
        f'<text x="{_WIDTH * part / 4:.0f}" y="{_HEIGHT + 14}" text-anchor="{anchor}">'
        f"{cycles * part // 4}</text>"
        for part, anchor in enumerate(anchors)
    )
    key = "".join(f'<span><i class="u-{kind}"></i>{_NAMES[kind]}</span>' for kind in _KINDS)
    return (
        '<p>Dispatch over time, in cycles:</p><svg class="map" role="img" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT + 18}" width="{_WIDTH}">'
        f"<title>what dispatch did in each stretch of cycles</title>{''.join(shapes)}{marks}</svg>"
        f'<div class="key">{key}</div>'
    )
