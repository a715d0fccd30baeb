"""A command file of Surfer that shows the same groups as the save file of GTKWave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tb.bench.wave_views import View


def text(signals: Mapping[str, int], views: Sequence[View]) -> str:
    """The command file; lines about signals that the dump does not hold are left out.

    Args:
        signals: width in bits of every signal of the dump by its full name.
        views: what is shown, in order.
    """
    return "\n".join([*_commands(signals, views), "zoom_fit"]) + "\n"


def _commands(signals: Mapping[str, int], views: Sequence[View]) -> Iterator[str]:
    for view in views:
        names = list(dict.fromkeys(line.signal for line in view.lines if line.signal in signals))
        if names:
            yield f"divider_add {view.title}"
            yield from (f"variable_add {name}" for name in names)
