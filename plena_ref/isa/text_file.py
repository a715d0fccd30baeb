"""Text that people wrote: UTF-8, with or without the mark that some editors put in front."""

from __future__ import annotations

from pathlib import Path


class TextError(ValueError):
    """A file that is no UTF-8 text; the message names the file and the line."""


def read_text(path: str | Path) -> str:
    """The text of a file.

    Raises:
        TextError: it is not UTF-8.
        OSError: it cannot be read.
    """
    data = Path(path).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TextError(f"{path}:{line}: byte 0x{data[error.start]:02X} is no UTF-8 text") from None
