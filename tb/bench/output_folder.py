"""Folders that people name for results: whole results or none, and known to be writable before the work."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from tb.engine import scratch


class OutputError(ValueError):
    """A folder in which results cannot be left; the message names it and the reason."""


@contextlib.contextmanager
def staged(out: Path, names: Iterable[str], salvage: str | None = None) -> Iterator[Path]:
    """A folder whose content moves into `out` when the block ends well, and is removed when it does not.

    Args:
        out: the folder for the results; it is made, and removed again if nothing moves into it.
        names: files that the block will leave.
        salvage: a folder that moves even when the block is interrupted.

    Raises:
        OutputError: `out` cannot be made or written, or has a folder where a file is to be.
    """
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        with contextlib.ExitStack() as stack:
            try:
                place = stack.enter_context(scratch.folder(out, "results"))
            except OSError as error:
                raise OutputError(f"OUT={out}: {error.strerror}") from None
            for name in names:
                if (out / name).is_dir():
                    raise OutputError(f"OUT={out}: {name} is a folder there")
            try:
                yield place
            except KeyboardInterrupt:
                if salvage is not None and (place / salvage).exists():
                    _move(place / salvage, out)
                raise
            for path in sorted(place.iterdir()):
                _move(path, out)
    finally:
        for folder in made:
            # Only what is empty goes.
            with contextlib.suppress(OSError):
                folder.rmdir()


def _move(path: Path, folder: Path) -> None:
    """Put a file or folder into a folder, in the place of what has its name there."""
    target = folder / path.name
    if path.is_dir():
        shutil.rmtree(target, ignore_errors=True)
    os.replace(path, target)
