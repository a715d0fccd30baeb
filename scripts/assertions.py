"""The table of the RTL's assertions in docs/assertions.md: ``python -m scripts.assertions``.

Breaks every contract as tb/unit/contracts.py says, and writes the table only if each assertion fired.
"""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tb.bench import command, options
from tb.engine.paths import ASSERTIONS, REPO, rtl_sources
from tb.unit import contracts

DOCUMENT = REPO / "docs" / "assertions.md"
_BEGIN = "<!-- table: python -m scripts.assertions -->\n"
_END = "<!-- end of table -->\n"
_USE = re.compile(r"`PLENA_ASSERT(?:_STANDS|_WHEN|_HERE)?\(\s*(\w+),(.*?)\"\s*\)\n", re.DOTALL)


@dataclass(frozen=True)
class Assertion:
    """One use of the macro.

    Attributes:
        name: unique in RTL.
        file: relative to the tree.
        message: what is wrong when it fires.
    """

    name: str
    file: str
    message: str


def in_rtl(root: Path = REPO) -> list[Assertion]:
    """Every assertion, in the order of the sources."""
    found = []
    for source in rtl_sources(root):
        if source != ASSERTIONS:
            for name, rest in _USE.findall((root / source).read_text()):
                found.append(Assertion(name, source, rest[rest.rindex('"') + 1 :]))
    return found


def with_table(text: str) -> str:
    """The document with the table of today's assertions in its place."""
    by_name = {violation.assertion: violation for violation in contracts.VIOLATIONS}
    rows = ["| assertion | file | what is wrong when it fires | fired by |", "|---|---|---|---|"]
    for one in in_rtl():
        steps = by_name[one.name].steps.replace("|", "\\|")
        rows.append(f"| `{one.name}` | {one.file} | {one.message} | `{' '.join(steps.split())}` |")
    head, rest = text.split(_BEGIN)
    return head + _BEGIN + "\n".join(rows) + "\n" + _END + rest.split(_END)[1]


def main(arguments: list[str]) -> int:
    """Fire everything, then write the table."""
    options.refuse_all(arguments)
    with ThreadPoolExecutor(2) as pool:
        printed = list(pool.map(contracts.fired, contracts.VIOLATIONS))
    silent = [
        violation.assertion
        for violation, text in zip(contracts.VIOLATIONS, printed, strict=True)
        if f"assertion {violation.assertion}:" not in text
    ]
    for name in silent:
        print(f"error: {name} did not fire", file=sys.stderr)
    if silent:
        return 1
    DOCUMENT.write_text(with_table(DOCUMENT.read_text()))
    print(f"{len(printed)} assertions fired; docs/assertions.md is written")
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
