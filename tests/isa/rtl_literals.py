"""Literals in RTL that the tables of the ISA have names for: field slices, operation codes, sizes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from plena_ref.isa.operations import OPERATIONS

#: The generated package is the one place that may say them.
GENERATED = "plena_pkg.sv"

# Signals that carry an instruction word, an opcode, or an operation code of a unit.
_WORD = r"\b(?:\w*instr|first_word|second_word)"
_CODE = r"\b(?:\w*opcode|\w*_op|q_op\[\w+\]|op)"
_NUMBER = r"(?:\d+'[bdh][0-9a-fA-FxX_]+|\d+)"
_NAMES = "|".join(sorted({name for codes in OPERATIONS.values() for name in codes}, key=len, reverse=True))

_RULES = (
    (re.compile(_WORD + r"\[\d+(?::\d+)?\]"), "a field of an instruction word is sliced by number"),
    (re.compile(_CODE + r"\s*(?:==|!=|<=|>=|<|>)\s*" + _NUMBER), "a code is compared with a number"),
    (re.compile(r"(?:push_op|unit_op|q_op\[\w+\]|\w_op|\bop)\[\d+(?::\d+)?\]"), "a code is sliced by number"),
    (
        re.compile(
            rf"localparam\s+logic\s*\[(?:3|4|plena_pkg::UNIT_OP_W-1):0\]\s*(?:OP_\w+|\w_OP_\w+|{_NAMES})\s*="
        ),
        "a code has a constant besides the generated one",
    ),
    (re.compile(r"\b6'h[0-9a-fA-F]{1,2}\b"), "an opcode is a literal"),
    (
        re.compile(r"\bwide\w*\s*\?\s*(?:\w+'\()?(?:\d+'[bdh]\w+|\d+\b(?!'))"),
        "a size of a policy of V_TOPK is a number",
    ),
)


@dataclass(frozen=True)
class Finding:
    """A literal: file and line, what it is, and the text."""

    file: str
    line: int
    what: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}: {self.text}"


def _is_assignment(code: str, match: re.Match[str]) -> bool:
    """True when the `<=` of the match begins a nonblocking assignment: nothing but the target before it."""
    before = code[: match.start()].strip()
    return "<=" in match[0] and (before in ("", "begin", "end else") or before.endswith((")", ":")))


def in_text(text: str, file: str) -> list[Finding]:
    """The literals in one file's text; comments do not count."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.split("//", 1)[0]
        for rule, what in _RULES:
            match = rule.search(code)
            if match is not None and not _is_assignment(code, match):
                found.append(Finding(file, number, what, code.strip()))
    return found


def in_tree(root: Path) -> list[Finding]:
    """The literals in every RTL file of the tree at `root` but the generated one."""
    found = []
    for path in sorted((root / "rtl").rglob("*.sv")):
        if path.name != GENERATED:
            found += in_text(path.read_text(encoding="utf-8"), str(path.relative_to(root)))
    return found
