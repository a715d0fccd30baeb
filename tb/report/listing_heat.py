"""The listing, each instruction with how often it ran and the cycles until it was dispatched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.assembler import split_comment
from tb.report.markup import scroll, section, text

#: Lines that are shown.
_MOST = 3000


def section_of(
    lines: Sequence[str], of_pc: Sequence[int], trace: NDArray[np.uint32], wrong_pc: int | None
) -> str:
    """The section.

    Args:
        lines: the numbered listing.
        of_pc: the line of each instruction.
        trace: retired instructions, (pc, word, cycle).
        wrong_pc: the instruction to mark, or None.
    """
    count = np.bincount(trace[:, 0], minlength=len(of_pc))
    spent = np.bincount(trace[:, 0], np.diff(trace[:, 2].astype(np.int64), prepend=0), minlength=len(of_pc))
    pc_of = {line: pc for pc, line in enumerate(of_pc)}
    most = max(float(spent.max(initial=0)), 1.0)
    rows = []
    for number, line in enumerate(lines[:_MOST]):
        pc = pc_of.get(number)
        if pc is None:
            rows.append(f'<tr><td></td><td></td><td class="comment">{text(line)}</td></tr>')
            continue
        code, comment = split_comment(line)
        mark = ' class="wrong"' if pc == wrong_pc else ""
        heat = f'<i style="width:{100 * spent[pc] / most:.0f}%"></i>{int(spent[pc])}' if spent[pc] else ""
        rows.append(
            f'<tr{mark}><td class="number">{count[pc] or ""}</td><td class="number heat">{heat}</td>'
            f'<td>{text(f"{code:<44}")}<span class="comment">; {text(comment)}</span></td></tr>'
        )
    head = "<tr><th>ran</th><th>cycles</th><th>instruction; pc, word | comment</th></tr>"
    rest = f"<p>{len(lines) - _MOST} more lines are in program.lst.</p>" if len(lines) > _MOST else ""
    body = scroll(f'<table class="listing">{head}{"".join(rows)}</table>', "listing")
    opened = " open" if wrong_pc is not None else ""
    note = (
        "<small>Cycles: between the dispatch of the instruction before and its own, over all passes.</small>"
    )
    return section(
        "listing",
        "Listing",
        f"<details{opened}><summary>{len(of_pc)} instructions</summary>{note}{body}{rest}</details>",
    )
