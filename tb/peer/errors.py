"""What is wrong with something that PLENA's tools handed over."""

from __future__ import annotations

from pathlib import Path


class PeerError(ValueError):
    """A file that is missing, odd, or asks for what this machine does not do; the message is one line.

    Args:
        path: the file.
        key: the part of the file, or None for all of it.
        reason: what is wrong.
    """

    def __init__(self, path: Path, key: str | None, reason: str) -> None:
        where = str(path) if key is None else f"{path}: {key}"
        super().__init__(f"{where}: {reason}")


def read_bytes(path: Path) -> bytes:
    """The contents of a file.

    Raises:
        PeerError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise PeerError(path, None, error.strerror or str(error)) from None


def read_text(path: Path) -> str:
    """The contents of a text file.

    Raises:
        PeerError: it cannot be read, or is no UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise PeerError(path, None, f"byte {error.start} is not UTF-8 text") from None
