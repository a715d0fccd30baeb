"""What killed processes leave in the build folder, and its removal: names say whose it is."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import time
from pathlib import Path

#: What does not name its process is litter after so many seconds; nothing works on it for longer.
OLD_SECONDS = 3600.0
_NAME = re.compile(r"sweep@(?P<host>[^@]*)@(?P<process>\d+)@")


def prefix() -> str:
    """The beginning of the name of a temporary file or folder of this process."""
    return f"sweep@{socket.gethostname()}@{os.getpid()}@"


def remove(*folders: Path) -> list[Path]:
    """Remove what processes of this host that are gone have left directly in these folders; says what.

    Names without a process are left to :func:`remove_old`.
    """
    gone = []
    for folder in folders:
        for path in _entries(folder):
            found = _NAME.search(path.name)
            if found and found["host"] == socket.gethostname() and not _alive(int(found["process"])):
                _delete(path)
                gone.append(path)
    return gone


def remove_old(folder: Path, pattern: str) -> list[Path]:
    """Remove what matches in a folder and was not touched for an hour; says what."""
    gone = []
    for path in _entries(folder):
        with contextlib.suppress(OSError):
            if path.match(pattern) and time.time() - path.stat().st_mtime > OLD_SECONDS:
                _delete(path)
                gone.append(path)
    return gone


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
