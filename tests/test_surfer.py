"""The command file of Surfer, against the grammar of Surfer 0.5 (command_parser.rs, fzcmd.rs)."""

from __future__ import annotations

import re

import pytest

from tb.bench import surfer, wave_views
from tb.bench.wave_views import BIT, Line, View

#: What may follow each command: one word, the rest of the line without blanks, a time, nothing.
_GRAMMAR = {
    "divider_add": r"\w+",
    "variable_add": r"[\w.]+",
    "cursor_set": r"\d+",
    "zoom_fit": r"",
}


def unreadable(text: str) -> list[str]:
    """The lines that Surfer would leave out: `#` begins a comment, `;` ends a command."""
    found = []
    for line in text.splitlines():
        command, _, rest = line.partition(" ")
        if not re.fullmatch(_GRAMMAR.get(command, r"(?!)"), rest):
            found.append(line)
    return found


def test_every_command_can_be_read() -> None:
    views = [wave_views.OVERVIEW, *wave_views.PIPELINE, wave_views.rows(64)]
    signals = {line.signal: 64 for view in views for line in view.lines}
    text = surfer.text(signals, views, 12500)
    assert unreadable(text) == []
    lines = text.splitlines()
    assert {f"variable_add {name}" for name in signals} <= set(lines)
    assert lines.count("divider_add HBM_unit") == 1 and lines[-2:] == ["zoom_fit", "cursor_set 12500"]
    assert len([line for line in lines if line.startswith("divider_add")]) == len(views)


@pytest.mark.parametrize("line", ["divider_add HBM unit", "zoom_fit 3", "variable_add a b", "signal_add a"])
def test_what_cannot_be_read_is_found(line: str) -> None:
    assert unreadable(f"zoom_fit\n{line}\n") == [line]


def test_signals_that_the_dump_does_not_hold() -> None:
    view = View("some data", (Line("t.a", BIT), Line("t.gone", BIT), Line("t.a", BIT, "again")))
    assert surfer.text({"t.a": 1}, [view]) == "divider_add some_data\nvariable_add t.a\nzoom_fit\n"
