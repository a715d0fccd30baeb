"""What a result depends on: the text of every source that a unit's process may read, and tools' versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tb.engine import sources
from tb.engine.paths import REPO

#: The module that runs units, and the one that the simulator imports by its name.
ENTRIES = ("tb.sweep.child", "tb.bench.job_runner")


@dataclass(frozen=True)
class Fingerprint:
    """Sources and tools, by which results are kept.

    Attributes:
        files: hash of the text of each source, by its path relative to the repository.
        tools: versions by name.
    """

    files: Mapping[str, str]
    tools: Mapping[str, str]

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits of all of it."""
        return _digest(json.dumps([dict(self.files), dict(self.tools)], sort_keys=True).encode())

    def difference(self, other: Fingerprint) -> str | None:
        """One line that names the first thing in which `other` is not the same, or None."""
        for what, mine, its in (("source", self.files, other.files), ("tool", self.tools, other.tools)):
            for name in sorted({*mine, *its}):
                if mine.get(name) != its.get(name):
                    return f"{what} {name} is {its.get(name, 'missing')}, the sweep's {mine.get(name)}"
        return None


def take(root: Path = REPO) -> Fingerprint:
    """The fingerprint of a source tree and of the tools of this process."""
    return take_of(map(str, sources.sources(ENTRIES, root)), root)


def take_of(files: Iterable[str], root: Path = REPO) -> Fingerprint:
    """The fingerprint of these files, relative to `root`, and of the tools of this process."""
    return Fingerprint({name: _file_digest(root / name) for name in files}, sources.tool_versions())


def stamps(files: Iterable[str], root: Path = REPO) -> dict[str, tuple[int, ...]]:
    """What tells that a file was written meanwhile, even when its text is as before."""
    found: dict[str, tuple[int, ...]] = {}
    for name in files:
        try:
            status = (root / name).stat()
            found[name] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
        except OSError:
            found[name] = ()
    return found


def _file_digest(file: Path) -> str:
    try:
        return _digest(file.read_bytes())
    except OSError:
        return "missing"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
