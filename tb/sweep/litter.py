"""What killed processes leave in the build folder, and its removal: names say whose it is."""

from __future__ import annotations

import os
import re
import shutil
import socket
from pathlib import Path

_NAME = re.compile(r"sweep@(?P<host>[^@]*)@(?P<process>\d+)@")


def prefix() -> str:
    """The beginning of the name of a temporary file or folder of this process."""
    return f"sweep@{socket.gethostname()}@{os.getpid()}@"


def remove(*folders: Path) -> list[Path]:
    """Remove what processes of this host that are gone have left directly in these folders; says what."""
    gone = []
    for folder in folders:
        for path in _entries(folder):
            found = _NAME.search(path.name)
            if found and found["host"] == socket.gethostname() and not _alive(int(found["process"])):
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
