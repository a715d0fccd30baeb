"""A state file of Surfer: the groups of the save file of GTKWave, with their titles, labels and formats.

Surfer reads it as RON and wants every field of its `WaveData`, which differ from version to version, and
ignores what it does not know; so it has the fields of versions 0.3 to 0.7 (wave_data.rs, displayed_item.rs,
viewport.rs of its library). The dump that is named on the command line goes before the one in the file, and
signals are found by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tb.bench.gtkwave import Window
from tb.bench.wave_views import BIT, COUNT, DECIMAL, Line, View

#: Surfer's names of formats; signals of one bit have none.
FORMATS = {DECIMAL: "Unsigned", COUNT: "Unsigned", BIT: "Binary"}
_OTHER_FORM = "Hexadecimal"


class _Tagged(NamedTuple):
    """A variant of an enumeration, with what it holds."""

    name: str
    value: object


class _Word(str):
    """A variant that holds nothing."""

    __slots__ = ()


def text(
    signals: Mapping[str, int],
    opened: Sequence[View],
    closed: Sequence[View],
    window: Window,
    dump: str,
    last: int,
) -> str:
    """The state file.

    Args:
        signals: of the dump: widths in bits by full names; lines about others are left out.
        opened, closed: groups that are open and groups that are closed, in this order.
        window: where it opens, and its cursor.
        dump: name of the wave file.
        last: the last time in it.
    """
    items = [
        *(item for view in opened for item in _group(view, signals, True)),
        *(item for view in closed for item in _group(view, signals, False)),
    ]
    shown = range(1, len(items) + 1)
    tree = [
        {"item_ref": (number,), "level": level, "unfolded": unfolded, "selected": False}
        for number, (level, unfolded, _) in zip(shown, items, strict=True)
    ]
    waves = {
        "source": _Tagged("File", dump),
        "format": _Word("Fst"),
        "active_scope": None,
        "items_tree": {"items": tree},
        "displayed_items": _Table(zip(shown, (item for _, _, item in items), strict=True)),
        "display_item_ref_counter": len(items) + 1,
        "viewports": [_viewport(window.start / max(last, 1), window.stop / max(last, 1))],
        "cursor": None if window.cursor is None else _Tagged("Some", _big(window.cursor)),
        "markers": _Table(()),
        "selected_annotation": None,
        "annotations": [],
        "annotation_groups": [],
        "annotation_list_visible": False,
        "annotation_counter": 0,
        "last_active_viewport_idx": 0,
        "focused_item": None,
        "focused_transaction": (None, None),
        "default_variable_name_type": _Word("Unique"),
        "scroll_offset": 0.0,
        "display_variable_indices": True,
        "graphics": _Table(()),
    }
    return _ron({"waves": _Tagged("Some", waves)}) + "\n"


class _Table(dict[int, object]):
    """A map, unlike the fields of a structure."""


def _group(view: View, signals: Mapping[str, int], is_open: bool) -> Iterator[tuple[int, bool, _Tagged]]:
    """Level, whether it is unfolded, and item: of the group, then of each of its signals, once."""
    lines = {line.signal: line for line in reversed(view.lines) if line.signal in signals}
    if not lines:
        return
    colors = {"color": None, "background_color": None}
    yield 0, is_open, _Tagged("Group", {"name": view.title, **colors, "content": [], "is_open": is_open})
    for signal, line in reversed(lines.items()):
        *scope, name = signal.split(".")
        wanted = FORMATS.get(line.form, _OTHER_FORM) if signals[signal] > 1 else None
        found: dict[str, object] = {
            "variable_ref": {
                "path": {"strs": scope, "id": _Tagged("Wellen", (1,))},
                "name": name,
                "id": _Tagged("Wellen", (1,)),
                "index": None,
            },
            **colors,
            "display_name": name,
            "display_name_type": _Word("Unique"),
            "manual_name": _some(_label(line)),
            "format": _some(wanted),
            "field_formats": [],
            "height_scaling_factor": None,
            "analog": None,
        }
        yield 1, True, _Tagged("Variable", found)


def _label(line: Line) -> str | None:
    """The label of a line that shows all of its signal."""
    return line.label or None if line.width == 0 else None


def _viewport(left: float, right: float) -> dict[str, object]:
    """What is visible, in shares of the dump."""
    sides = {
        f"{name}_{side}": (at,)
        for name in ("curr", "target", "move_start")
        for side, at in (("left", left), ("right", right))
    }
    return {**sides, "move_duration": None, "move_strategy": _Word("Instant")}


def _big(number: int) -> tuple[int, list[int]]:
    """A number of any size: its sign, and its digits of 32 bits, the lowest first."""
    digits = [number >> low & 0xFFFFFFFF for low in range(0, number.bit_length(), 32)]
    return int(number > 0), digits


def _some(value: str | None) -> _Tagged | None:
    return None if value is None else _Tagged("Some", value)


def _ron(value: object) -> str:
    """A value as Rusty Object Notation: a mapping is a structure, a tuple is one without names."""
    match value:
        case _Word():
            return str(value)
        case _Tagged():
            return f"{value.name}({_ron(value.value)})"
        case _Table():
            return "{" + ", ".join(f"({key}): {_ron(one)}" for key, one in value.items()) + "}"
        case Mapping():
            return "(" + ", ".join(f"{key}: {_ron(one)}" for key, one in value.items()) + ")"
        case tuple():
            return "(" + ", ".join(map(_ron, value)) + ")"
        case list():
            return "[" + ", ".join(map(_ron, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case bool() | None:
            return {True: "true", False: "false", None: "None"}[value]
    return str(value)
