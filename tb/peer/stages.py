"""The stages of a program: which comment of its assembly text stands above each instruction."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tb.peer.errors import read_text

#: Of a comment line only the words are the stage's name.
_DECORATION = " \t;/=-*#~_|+<>"
_COMMENT = re.compile(r";|//")
_NAME_LENGTH = 80
#: What stands before the first comment line.
START = "(start)"
#: Instructions for which the text has no line.
OTHER = "(other)"


@dataclass(frozen=True)
class Stages:
    """Names of the stages of a program.

    Attributes:
        path: the assembly text.
        names: the stage of each instruction by its pc.
        lines: the line of each instruction in the text, from 1.
    """

    path: Path
    names: list[str]
    lines: list[int]

    def cut_to(self, count: int) -> Stages:
        """The stages of a program of another length: cut off, or with `OTHER` for what the text lacks."""
        more = count - len(self.names)
        last = self.lines[-1:] or [0]
        return Stages(self.path, (self.names + [OTHER] * more)[:count], (self.lines + last * more)[:count])

    def of(self, pc: int) -> str:
        """The stage of an instruction; of a pc past the end the last one."""
        return self.names[min(pc, len(self.names) - 1)] if self.names else START


def read(path: Path) -> Stages:
    """Read assembly text: a comment that has a line to itself names the stage from there on.

    As for PLENA's emulator, an instruction is a line that begins with a capital letter; so is a `.word`.

    Raises:
        PeerError: the file cannot be read.
    """
    stage, names, lines = START, [], []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        code = _COMMENT.split(line, maxsplit=1)[0].strip()
        if (code[:1].isascii() and code[:1].isupper()) or code.split()[:1] == [".word"]:
            names.append(stage)
            lines.append(number)
        elif not code:
            stage = line.strip().strip(_DECORATION)[:_NAME_LENGTH].rstrip() or stage
    return Stages(path, names, lines)
