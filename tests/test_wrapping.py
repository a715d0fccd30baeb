"""The pages are wrapped like the code: no line of prose has more than 110 columns."""

from __future__ import annotations

from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
COLUMNS = 110
#: How lines begin that are read one by one: tables, code, headings, and the checks of docs/extending.
ONE_LINE = ("|", "    ", "#", "Left out")


def long_lines(text: str) -> list[int]:
    """Numbers of the lines that are too long and could be broken."""
    found, fenced = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        free = not fenced and not line.startswith(ONE_LINE)
        if free and len(line) > COLUMNS and " " in line.strip()[:COLUMNS].lstrip("-*+> "):
            found.append(number)
    return found


def test_pages_are_wrapped() -> None:
    pages = [*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md")]
    assert len(pages) > 20
    found = {str(page.relative_to(REPO)): long_lines(page.read_text()) for page in pages}
    assert {page: lines for page, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("word " * 22, []),
        ("word " * 23 + "\nshort", [1]),
        ("- " + "word " * 23, [1]),
        ("| " + "word " * 40 + "|", []),
        ("    " + "word " * 40, []),
        ("```\n" + "word " * 40 + "\n```\n" + "word " * 40, [4]),
        ("x" * 200, []),
    ],
    ids=["fits", "prose", "item", "table", "indented code", "fenced code", "one word"],
)
def test_a_long_line_is_found(text: str, lines: list[int]) -> None:
    assert long_lines(text) == lines
