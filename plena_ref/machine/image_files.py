"""Raw memory images as files: little-endian, one file a memory, as ``make run`` takes and leaves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from plena_ref.machine.state import MemoryImages

MEMORIES = ("vram", "msram", "fpmem", "intmem", "hbm")
#: What a run of a program leaves: the memories and its numbers.
STATS = "stats.json"
#: The version of its form (docs/result.md).
STATS_SCHEMA = 1
FILES = (*(f"{memory}.bin" for memory in MEMORIES), STATS)
_DTYPES = {"vram": "<u2", "msram": "<u2", "fpmem": "<u2", "intmem": "<u4", "hbm": "<u1"}


class ImageError(ValueError):
    """An image file that is missing or does not fit; the message names the file and the reason."""


def write(folder: Path, images: MemoryImages, hbm_bytes: int) -> None:
    """Write whole memories into ``folder`` as ``<memory>.bin``, of HBM the first ``hbm_bytes`` bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for memory in MEMORIES:
        words = getattr(images, memory).astype(_DTYPES[memory], copy=False)
        # Unlike ndarray.tofile this says why it failed.
        (folder / f"{memory}.bin").write_bytes((words[:hbm_bytes] if memory == "hbm" else words).data)


def read_into(images: MemoryImages, memory: str, path: Path) -> int:
    """Load a file into the front of a memory (a name in ``MEMORIES``); return its size in bytes.

    Raises:
        ImageError: the file is missing, larger than the memory, or not a whole number of words.
    """
    target = getattr(images, memory)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{memory} image {path}: {error.strerror}") from None
    word = np.dtype(_DTYPES[memory]).itemsize
    if len(data) > target.nbytes:
        raise ImageError(
            f"{memory} image {path}: {len(data)} bytes do not fit a memory of {target.nbytes} bytes"
        )
    if len(data) % word:
        raise ImageError(f"{memory} image {path}: {len(data)} bytes are no whole number of {word}-byte words")
    words = np.frombuffer(data, _DTYPES[memory])
    target[: words.size] = words
    return len(data)


def used_bytes(images: MemoryImages) -> int:
    """HBM bytes up to the last one that differs from the fill pattern, which is the last byte of HBM."""
    hbm = images.hbm
    step = 1 << 20
    for start in range((hbm.size - 1) // step * step, -1, -step):
        used = np.flatnonzero(hbm[start : start + step] != hbm[-1])
        if used.size:
            return start + int(used[-1]) + 1
    return 0
