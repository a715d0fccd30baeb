"""A program as people read it: lines of the listing around an instruction, its kernel's source, its loops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plena_ref.isa.assembler import split_comment
from plena_ref.isa.listing import instruction_lines

#: Lines of listing that are shown before an instruction and after it.
AROUND = 5


def shown_path(file: str, root: Path) -> Path:
    """The path of a kernel's source, relative to a folder that holds it."""
    path = Path(file)
    return path.relative_to(root) if path.is_relative_to(root) else path


class ListingLines:
    """The listing of a program.

    Args:
        text: assembly text with numbers (`plena_ref.isa.listing`).
        sources: file and line of the kernel behind each instruction; empty where nobody knows.
        root: folder that paths are shown relative to.
    """

    def __init__(self, text: str, sources: Sequence[tuple[str, int]], root: Path) -> None:
        self.lines = text.splitlines()
        self.of_pc = instruction_lines(text)
        self._sources, self._root = sources, root

    def around(self, pc: int) -> list[str]:
        """Some lines before and after the instruction, which is marked."""
        if pc >= len(self.of_pc):
            return []
        line = self.of_pc[pc]
        shown = range(max(0, line - AROUND), min(len(self.lines), line + AROUND))
        return [f"{'>' if number == line else ' '} {self.lines[number]}" for number in shown]

    def source(self, pc: int) -> str | None:
        """`file:line` of what wrote the instruction."""
        if pc >= len(self._sources):
            return None
        file, line = self._sources[pc]
        return f"{shown_path(file, self._root)}:{line}"

    def comment(self, pc: int) -> str:
        """What the numbered listing says of an instruction."""
        comment = split_comment(self.lines[self.of_pc[pc]])[1] if pc < len(self.of_pc) else ""
        return comment.partition(" | ")[2]

    def loop(self, pc: int, turn: int, count: int) -> str:
        """One open loop in words."""
        comment = self.comment(pc)
        return f"pass {turn} of {count} of the loop at pc {pc}" + (f" ({comment})" if comment else "")
