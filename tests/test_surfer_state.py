"""The state file of Surfer, read by a parser of its notation: fields that versions want, and the lines."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tb.bench import surfer_state, wave_views
from tb.bench.gtkwave import Window
from tb.bench.wave_views import BIT, DECIMAL, HEX, Line, View

#: Fields without a default in Surfer 0.3 to 0.7: `WaveData`, an item of its tree, a variable, a viewport.
WAVES = """
source format active_scope items_tree displayed_items display_item_ref_counter viewports cursor markers
annotation_groups annotation_list_visible last_active_viewport_idx focused_item focused_transaction
default_variable_name_type scroll_offset display_variable_indices graphics""".split()
ITEM = "item_ref level unfolded selected".split()
VARIABLE = """
variable_ref color background_color display_name display_name_type manual_name format field_formats
height_scaling_factor analog""".split()
VIEWPORT = """
curr_left curr_right target_left target_right move_start_left move_start_right move_duration
move_strategy""".split()
#: Names of formats in numeric_translators.rs and basic_translators.rs.
FORMATS = {"Unsigned", "Signed", "Hexadecimal", "Binary", "Octal", "ASCII"}
_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[\w.+-]+|[(){}\[\]:,])')


class Notation:
    """Rusty Object Notation: a structure is a dict, a map a list of pairs, a variant a pair."""

    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        assert "".join(self.tokens) == re.sub(r'\s+(?=(?:[^"]*"[^"]*")*[^"]*$)', "", text)

    def take(self, wanted: str | None = None) -> str:
        token = str(self.tokens.pop(0))
        assert wanted in (None, token)
        return token

    def value(self) -> Any:
        token = self.take()
        if token == "(":
            named = self.tokens[1] == ":"
            return dict(self.several(")", self.field)) if named else tuple(self.several(")", self.value))
        if token == "[":
            return self.several("]", self.value)
        if token == "{":
            return self.several("}", self.entry)
        if self.tokens and self.tokens[0] == "(" and token[0].isalpha():
            (inner,) = self.value_in_brackets()
            return token, inner
        return token.strip('"') if token.startswith('"') else token

    def value_in_brackets(self) -> list[Any]:
        self.take("(")
        return self.several(")", self.value)

    def several(self, end: str, one: Any) -> list[Any]:
        found = []
        while self.tokens[0] != end:
            found.append(one())
            if self.tokens[0] != end:
                self.take(",")
        self.take(end)
        return found

    def field(self) -> tuple[str, Any]:
        name = self.take()
        self.take(":")
        return name, self.value()

    def entry(self) -> tuple[Any, Any]:
        key = self.value()
        self.take(":")
        return key, self.value()


def state(*given: Any) -> dict[str, Any]:
    reader = Notation(surfer_state.text(*given))
    whole = reader.value()
    assert reader.tokens == [] and list(whole) == ["waves"]
    tag, waves = whole["waves"]
    assert tag == "Some"
    return dict(waves)


def test_every_field_and_every_line() -> None:
    views = [wave_views.OVERVIEW, *wave_views.PIPELINE, wave_views.rows(64)]
    signals = {line.signal: 64 for view in views for line in view.lines}
    waves = state(signals, views[:1], views[1:], Window(1000, 3000, 1 << 40), "dump.fst", 4000)
    assert set(WAVES) <= waves.keys() and waves["source"] == ("File", "dump.fst")
    assert waves["cursor"] == ("Some", ("1", ["0", "256"]))
    (viewport,) = waves["viewports"]
    assert set(VIEWPORT) == viewport.keys()
    assert (viewport["curr_left"], viewport["curr_right"]) == (("0.25",), ("0.75",))
    tree, items = waves["items_tree"]["items"], dict(waves["displayed_items"])
    assert all(set(ITEM) == item.keys() for item in tree)
    assert [item["item_ref"] for item in tree] == [*items] and len(items) == len(tree)
    assert waves["display_item_ref_counter"] == str(len(items) + 1)
    shown, title = set(), ""
    for place, (kind, item) in zip(tree, items.values(), strict=True):
        if kind == "Group":
            title = item["name"]
            assert place["level"] == "0" and (place["unfolded"] == "true") == (title == views[0].title)
        else:
            assert kind == "Variable" and place["level"] == "1" and set(VARIABLE) == item.keys()
            path = item["variable_ref"]["path"]["strs"]
            shown.add((title, ".".join([*path, item["variable_ref"]["name"]])))
            assert item["format"][0] == "Some" and item["format"][1] in FORMATS
    assert shown == {(view.title, line.signal) for view in views for line in view.lines}


def test_labels_formats_and_signals_that_the_dump_does_not_hold() -> None:
    lines = (
        Line("t.a", BIT, "a b"),
        Line("t.gone", BIT),
        Line("t.n", DECIMAL),
        Line("t.w", HEX, "low", 0, 4),
    )
    waves = state({"t.a": 1, "t.n": 8, "t.w": 9}, [View("some data", lines)], [], Window(0, 1), "d.fst", 1)
    (_, (kind, group)), *rows = waves["displayed_items"]
    assert (kind, group["name"], waves["cursor"]) == ("Group", "some data", "None")
    found = [(row["variable_ref"]["name"], row["manual_name"], row["format"]) for _, (_, row) in rows]
    assert found == [
        ("a", ("Some", "a b"), "None"),
        ("n", "None", ("Some", "Unsigned")),
        ("w", "None", ("Some", "Hexadecimal")),
    ]


@pytest.mark.parametrize("text", ["(a: 1", "(a 1)", "(a: [1 2])", "(a: Some(1, 2))"])
def test_what_is_no_notation_is_found(text: str) -> None:
    with pytest.raises((AssertionError, IndexError, ValueError)):
        Notation(text).value()
