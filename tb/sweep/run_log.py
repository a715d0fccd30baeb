"""The folder of one run of a sweep, with its plan and its log; the oldest ones are removed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType

#: So many folders are kept, and those that were written to so lately.
KEPT = 20
OLD_SECONDS = 24 * 3600.0


class RunLog:
    """A new folder, named by the time, with a file `log` in it, as a context.

    Args:
        parent: where folders of runs lie.
    """

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            for old in sorted(parent.iterdir())[: -KEPT + 1]:
                if time.time() - (old / "log").stat().st_mtime > OLD_SECONDS:
                    shutil.rmtree(old, ignore_errors=True)
        stamp = time.strftime("%Y-%m-%dT%H.%M.%S-")
        self.folder = Path(tempfile.mkdtemp(prefix=stamp, dir=parent))

    def __enter__(self) -> RunLog:
        self._file = (self.folder / "log").open("w")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, line: str) -> None:
        """Add a line, with the time of day."""
        self._file.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        self._file.flush()
