"""The listing of a program: its assembly text with pc and word beside each instruction, as comments.

It assembles to the same words again. What is edited in it counts; its numbers are comments and may be stale.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from plena_ref.isa.assembler import split_comment

#: Column of the numbers.
NUMBERS_COLUMN = 44
_NUMBERS = re.compile(r"\d+ 0x[0-9A-F]{8}(?: \| (.*))?")


def instruction_lines(text: str) -> list[int]:
    """The line, from 0, of every instruction and `.word` of an assembly text."""
    return [number for number, line in enumerate(text.splitlines()) if split_comment(line)[0].strip()]


def numbered(text: str, words: Sequence[int]) -> str:
    """Assembly text with `; pc word | comment` beside each instruction; numbers that it has are replaced.

    Args:
        text: assembles to `words`.
        words: the program.
    """
    lines = text.splitlines()
    for pc, (number, word) in enumerate(zip(instruction_lines(text), words, strict=True)):
        code, comment = split_comment(lines[number])
        stale = _NUMBERS.fullmatch(comment)
        comment = (stale[1] or "") if stale else comment
        tail = f" | {comment}" if comment else ""
        lines[number] = f"{code:<{NUMBERS_COLUMN}}; {pc:>4} 0x{word:08X}{tail}"
    return "\n".join(lines) + "\n"
