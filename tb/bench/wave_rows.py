"""The rows of VRAM by name, as waves show them: `131 S[0, 1] row 3` where a run says which tensors it has."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tb.bench.diagnose import names_of
from tb.runs import record


def names(folder: Path) -> dict[int, str]:
    """The name of each row that holds a tensor; none in a folder that is no run of a case."""
    if not (folder / record.RECORD).exists():
        return {}
    work = record.read(folder)
    hw = work.hardware
    found: dict[int, str] = {}
    for part in names_of(work).parts("vram", np.arange(0, hw.vram_elems, hw.mlen)):
        if part.tensor is None:
            continue
        wide = part.tensor.head_cols > hw.mlen
        others = "".join(f" or {other}" for other in part.others)
        places = zip(part.addresses.tolist(), part.rows.tolist(), part.columns.tolist(), strict=True)
        for address, row, column in places:
            block = f" from column {column}" if wide else ""
            found[address // hw.mlen] = f"{part.name} row {row}{block}{others}"
    return found
