"""Which runs are kept: the newest ones, so many, and so many bytes; the others are removed, oldest first."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from tb.runs import contents
from tb.runs.places import BY_OPTIONS

#: Runs that are kept when nobody says otherwise, and the bytes that all of them may take.
KEEP = 20
KEEP_BYTES = 5 << 30


def sweep(runs: Path, newest: Path, keep: int = KEEP, most: int = KEEP_BYTES) -> list[Path]:
    """Remove the runs beyond the limits, oldest first, and links to them; returns what was removed.

    Args:
        runs: the folder of all runs.
        newest: the run that was just made; it stays whatever its size.
        keep: runs that stay at most.
        most: bytes that they may take; what several share counts once.
    """
    folders = [path for path in (runs / BY_OPTIONS).iterdir() if path.is_dir() and path != newest]
    by_age = sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)
    removed: list[Path] = []
    seen: set[int] = set()
    total = _bytes(newest, seen)
    for number, path in enumerate(by_age, start=1):
        total += _bytes(path, seen)
        if number >= keep or total > most:
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
    if removed:
        for link in runs.iterdir():
            if link.is_symlink() and not link.exists():
                link.unlink(missing_ok=True)
    contents.sweep(runs)
    return removed


def _bytes(folder: Path, seen: set[int]) -> int:
    """Bytes of the files of a folder that are not in `seen`, to which they are added."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(os.path.join(parent, name))
                if status.st_ino not in seen:
                    seen.add(status.st_ino)
                    total += status.st_size
    return total
