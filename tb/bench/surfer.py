"""A command file of Surfer that shows the same groups as the save file of GTKWave.

Surfer takes a line for a command with its arguments, and leaves out one that it cannot read: the title of a
divider is one word (command_parser.rs and fzcmd.rs of its library, version 0.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from tb.bench.wave_views import View

#: What no word has.
_BLANKS = re.compile(r"\W+")


def text(signals: Mapping[str, int], views: Sequence[View], cursor: int | None = None) -> str:
    """The command file; lines about signals that the dump does not hold are left out.

    Args:
        signals: width in bits of every signal of the dump by its full name.
        views: what is shown, in order.
        cursor: time of the dump at which the cursor stands; None: there is none.
    """
    place = [] if cursor is None else [f"cursor_set {cursor}"]
    return "\n".join([*_commands(signals, views), "zoom_fit", *place]) + "\n"


def _commands(signals: Mapping[str, int], views: Sequence[View]) -> Iterator[str]:
    for view in views:
        names = list(dict.fromkeys(line.signal for line in view.lines if line.signal in signals))
        if names:
            yield "divider_add " + _BLANKS.sub("_", view.title)
            yield from (f"variable_add {name}" for name in names)
