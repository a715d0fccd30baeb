"""The dumps that PLENA's emulator leaves, by its names and in its formats.

All of a run's dumps appear together when all are written, and those of an earlier run go before a run begins:
an old dump never passes for a new one.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import numpy as np

from plena_ref.machine.state import MemoryImages

#: Memory, file name and words of each dump, in the order in which they are written.
_DUMPS = (
    ("vram", "vram_dump.bin", "<u2"),
    ("msram", "mram_dump.bin", "<u2"),
    ("fpmem", "fpsram_dump.bin", "<u2"),
    ("intmem", "intsram_dump.bin", "<u4"),
    ("hbm", "hbm_dump.bin", "<u1"),
)
NAMES = {memory: name for memory, name, _ in _DUMPS}


def remove(folder: Path, *others: str) -> None:
    """Remove every dump in a folder, and the `others` that a run leaves beside them."""
    for name in (*NAMES.values(), *others):
        with contextlib.suppress(FileNotFoundError):
            (folder / name).unlink()


def write(folder: Path, images: MemoryImages, hbm_bytes: int | None) -> None:
    """Write the dumps into an existing folder; of HBM the first `hbm_bytes` bytes, or none with None."""
    written: list[tuple[Path, Path]] = []
    try:
        for memory, name, dtype in _DUMPS:
            if memory == "hbm" and hbm_bytes is None:
                continue
            words = getattr(images, memory).astype(dtype, copy=False)
            part = folder / f".{name}.part"
            written.append((part, folder / name))
            np.ascontiguousarray(words[:hbm_bytes] if memory == "hbm" else words).tofile(part)
        for part, place in written:
            os.replace(part, place)
    finally:
        for part, _ in written:
            part.unlink(missing_ok=True)
