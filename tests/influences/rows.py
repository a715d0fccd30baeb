"""The table of outside influences, docs/influences.md: one row a test of this folder, which shows it.

`python -m tests.influences.rows` writes the table. A test registers its row with :func:`row`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.influences import by_hand

FOLDER = Path(__file__).parent
DOCUMENT = FOLDER.parents[1] / "docs" / "influences.md"
_BEGIN = "<!-- tables: python -m tests.influences.rows -->\n"
_END = "<!-- end of tables -->\n"
_Test = TypeVar("_Test", bound=Callable[..., None])


@dataclass(frozen=True)
class Row:
    """One influence: what it was tried with, what happens, and the place of the test that shows it."""

    influence: str
    outcome: str
    file: str
    line: int
    test: str


_rows: dict[str, dict[str, Row]] = {}


def row(group: str, influence: str, outcome: str) -> Callable[[_Test], _Test]:
    """Register the decorated test as what shows a row of a group's table."""

    def register(test: _Test) -> _Test:
        code = test.__code__
        place = (Path(code.co_filename).name, code.co_firstlineno, test.__name__)
        _rows.setdefault(group, {})[influence] = Row(influence, outcome, *place)
        return test

    return register


def tables() -> str:
    """All tables, in the order of the modules' names and of the tests in them."""
    for module in sorted(FOLDER.glob("test_*.py")):
        importlib.import_module(f"tests.influences.{module.stem}")
    before = {trial.what: trial.before for trial in by_hand.trials()}
    lines = []
    for group in sorted(_rows):
        lines += ["", f"## {group}", "", "| what | what happens | what happened before | shown by |"]
        lines += ["|---|---|---|---|"]
        for one in sorted(_rows[group].values(), key=lambda row: (row.file, row.line)):
            shown = f"`{one.file}::{one.test}`"
            lines.append(f"| {one.influence} | {one.outcome} | {before[one.influence]} | {shown} |")
    return "\n".join(lines[1:]) + "\n\n"


def with_tables(text: str) -> str:
    """The document with today's tables in their place."""
    head, rest = text.split(_BEGIN)
    return head + _BEGIN + tables() + _END + rest.split(_END)[1]


if __name__ == "__main__":
    from tests.influences.rows import DOCUMENT, with_tables

    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
