"""Folders in which something is made before it gets its name: locked while their process lives, swept after.

Each is named ``scratch-<what>-<random>``. Whoever makes one holds a lock on it, which the system lets go when
the process is gone, however it went; what nobody holds is litter.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "scratch-"
#: Seconds that a folder may be without its lock: it is made first, then locked.
_YOUNG = 60.0


@contextlib.contextmanager
def folder(parent: Path, what: str) -> Iterator[Path]:
    """Make a folder in `parent`, which is made too; remove it after the block, unless it was renamed.

    What killed processes left in `parent` is removed first.

    Raises:
        OSError: `parent` cannot be made or written.
    """
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    made = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{what}-", dir=parent))
    try:
        made.chmod(0o755)
        handle = os.open(made, os.O_RDONLY)
        try:
            # Without locks on its file system a folder is never swept.
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield made
        finally:
            os.close(handle)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def keep(made: Path) -> Path:
    """Give a scratch folder a name that is not swept; the folder under it."""
    return made.rename(made.with_name(made.name.removeprefix(_PREFIX)))


def sweep(parent: Path) -> list[Path]:
    """Remove the scratch folders in `parent` whose process is gone; return them.

    Where a file system has no locks nothing is removed.
    """
    removed = []
    for place in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - place.stat().st_mtime > _YOUNG:
                    shutil.rmtree(place)
                    removed.append(place)
            finally:
                os.close(handle)
    return removed
