"""Machine-code files: one 32-bit word a line, as `0x%08X`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from plena_ref.isa.text_file import read_text

_WORD = re.compile(r"0[xX][0-9a-fA-F]{1,8}")


class MachineCodeError(ValueError):
    """A machine-code file with a line that is no word; the message reads `file:line: why`."""


def read_program(path: str | Path) -> list[int]:
    """The words of a machine-code file, in order. Blank lines are skipped.

    Raises:
        MachineCodeError: a line is not `0x` and one to eight hexadecimal digits.
        TextError, OSError: the file cannot be read.
    """
    words = []
    text = read_text(path)
    for number, line in enumerate(text.splitlines(), start=1):
        token = line.strip()
        if not token:
            continue
        if not _WORD.fullmatch(token):
            raise MachineCodeError(f"{path}:{number}: '{token[:40]}' is not a word of the form 0x0000002A")
        words.append(int(token, 16))
    return words


def write_program(path: str | Path, words: Sequence[int]) -> None:
    """Write `words` as a machine-code file.

    Raises:
        ValueError: a word is not a 32-bit unsigned value.
    """
    for index, word in enumerate(words):
        if not 0 <= word < 1 << 32:
            raise ValueError(f"word {index}: {word} does not fit in 32 bits")
    Path(path).write_text("".join(f"0x{word:08X}\n" for word in words), encoding="utf-8")
