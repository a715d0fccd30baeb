"""Files by content: runs that load or leave the same memory share one read-only file on disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

#: Name of the folder of files by content, beside the runs.
CONTENTS = "contents"


def share(file: Path, runs: Path) -> None:
    """Make `file` a hard link to the file of its content, which is made of it where there is none.

    A file system without links leaves the file as it is.
    """
    digest = hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()
    shared = runs / CONTENTS / f"{digest}.bin"
    shared.parent.mkdir(parents=True, exist_ok=True)
    file.chmod(0o444)
    with contextlib.suppress(OSError):
        try:
            os.link(file, shared)
        except FileExistsError:
            beside = file.with_name(f"{file.name}.link")
            os.link(shared, beside)
            beside.replace(file)


def sweep(runs: Path) -> None:
    """Remove the contents that no run has any more."""
    for shared in (runs / CONTENTS).glob("*.bin"):
        with contextlib.suppress(FileNotFoundError):
            if shared.stat().st_nlink == 1:
                shared.unlink()
