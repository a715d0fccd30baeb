"""A part of a timeline as the Perfetto viewer lays it out, drawn from the trace file itself.

The viewer is in no registry that this project uses; `timeline.perfetto-trace` beside this file is what
`make sim TRACE=1` wrote, whole, and it can be opened there.
"""

from __future__ import annotations

from pathlib import Path

from scripts.pictures.canvas import Canvas
from tb.bench import perfetto_tracks
from tb.bench.perfetto_tracks import Track

TRACE = Path(__file__).with_name("timeline.perfetto-trace")
#: The cycles that are drawn, pixels of a cycle, and of what lies to the left of them.
_FIRST, _LAST, _CYCLE, _LEFT = 340, 400, 15, 180
_ROW, _LETTER = 24, 7.4
_FILLS = {"stage": "memory", "dispatch": "unit", "retired": "a", "retired beside it": "a"}


def draw() -> Canvas:
    """Every track between two cycles: slices, slices inside slices, and graphs."""
    tracks = perfetto_tracks.read(TRACE)
    shown = {title: track for title, track in tracks.items() if _rows(track)}
    height = 60 + sum(_ROW * _rows(track) + 8 for track in shown.values())
    c = Canvas(
        _LEFT + (_LAST - _FIRST) * _CYCLE + 20, height, "A timeline: what each unit does, cycle by cycle"
    )
    for cycle in range(_FIRST, _LAST + 1, 10):
        c.text(_x(cycle), 24, str(cycle), 12, "middle")
        c.line((_x(cycle), 32), (_x(cycle), height - 12))
    y = 40.0
    for title, track in shown.items():
        c.text(12, y + 16, title, 12)
        for begin, end, name, _, depth in sorted(track.slices):
            if end > _FIRST and begin < _LAST:
                fill = "wait" if depth else _FILLS.get(title, "c" if "at work" in title else "b")
                _slice(c, y + depth * _ROW, begin, end, name, fill)
        _graph(c, y, track)
        y += _ROW * _rows(track) + 8
    return c


def _rows(track: Track) -> int:
    """Rows that a track takes between the cycles; 0 if there is nothing."""
    depths = [depth for begin, end, _, _, depth in track.slices if end > _FIRST and begin < _LAST]
    return max(depths) + 1 if depths else int(bool(track.values))


def _x(cycle: float) -> float:
    return _LEFT + (min(max(cycle, _FIRST), _LAST) - _FIRST) * _CYCLE


def _slice(c: Canvas, y: float, begin: int, end: int, name: str, fill: str) -> None:
    """A slice with as much of its name as it has room for."""
    width = _x(end) - _x(begin)
    room = int((width - 4) // _LETTER)
    text = name if len(name) <= room else name[: max(room - 1, 0)] + "…" * (room > 2)
    c.box(_x(begin), y, width, _ROW - 3, text if room > 1 else "", fill)


def _graph(c: Canvas, y: float, track: Track) -> None:
    """The values of a counter as bars, 100 of its unit as high as a row."""
    ends = [begin for begin, _ in track.values[1:]] + [_LAST]
    for (begin, value), end in zip(track.values, ends, strict=False):
        high = (_ROW - 3) * min(value, 100) / 100
        if end > _FIRST and begin < _LAST and high > 0:
            c.box(_x(begin), y + _ROW - 3 - high, _x(end) - _x(begin), high, "", "d")
