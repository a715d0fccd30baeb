"""Wide variables of a Verilator model: at the beginning of cache lines, where they are copied fastest.

Verilator gives a packed vector the alignment of its words, 4 bytes, whatever its width, so that of the
64-byte registers in which a processor moves a long one every second or each lies across two lines.
docs/bench.md has what this brings.
"""

from __future__ import annotations

import re
from pathlib import Path

#: Bytes of a cache line, and of the largest vector register.
LINE = 64
#: Words of the shortest vector that is aligned, two lines: for shorter ones it brings nothing.
WORDS = 32
_MEMBER = re.compile(r"^( +)((?:VlUnpacked<)*VlWide<(\d+)>)", re.MULTILINE)


def align(objects: Path) -> int:
    """Align the wide variables that the headers of a model declare.

    Args:
        objects: the folder in which Verilator has left C++, which is changed.

    Returns:
        how many variables are aligned.
    """
    count = 0

    def aligned(found: re.Match[str]) -> str:
        nonlocal count
        if int(found[3]) < WORDS:
            return found[0]
        count += 1
        return f"{found[1]}alignas({LINE}) {found[2]}"

    for header in sorted(objects.glob("Vtop*.h")):
        text = header.read_text()
        header.write_text(_MEMBER.sub(aligned, text))
    return count
