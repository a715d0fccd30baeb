"""A save file of GTKWave: what is shown, in what form, where it opens, and its markers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tb.bench import wave_filters
from tb.bench.wave_views import BIT, COUNT, DECIMAL, HEX, NUMBERS, ROW, SUMS, Line, View

#: A window as it opens, the waves in it, and the frame whose negative binary logarithm is the zoom; pixels.
_SIZE, _PIXELS, _FRAME = (1600, 900), 1200, 200
#: GTKWave has markers A to Z.
MOST_MARKERS = 26
#: Characters of a marker's name that are shown.
_NAME = 32
# Flags of a trace (GTKWave's analyzer.h): base, right justification, filters, groups.
_HEX, _DECIMAL, _BINARY, _RIGHT, _BLANK = 1 << 1, 1 << 2, 1 << 3, 1 << 5, 1 << 9
_FILE, _PROCESS, _CLOSED, _BEGIN, _END = 1 << 13, 1 << 14, 1 << 22, 1 << 23, 1 << 24
_COLLAPSED, _POPULATION = 1 << 12, 1 << 29
#: The translation process of a form.
_PROGRAMS = {NUMBERS: wave_filters.NUMBERS_PROGRAM, SUMS: wave_filters.SUMS_PROGRAM}


@dataclass(frozen=True)
class Window:
    """Where the waves open; times are those of the dump.

    Attributes:
        start, stop: of what is visible.
        cursor: of the cursor, or None.
        markers: times with their names, at most `MOST_MARKERS` of them.
    """

    start: int
    stop: int
    cursor: int | None = None
    markers: tuple[tuple[int, str], ...] = ()


def text(
    dump: str,
    save: str,
    signals: Mapping[str, int],
    window: Window,
    opened: Sequence[View],
    closed: Sequence[View],
) -> str:
    """The save file.

    Args:
        dump, save: names of the wave file and of the save file.
        signals: width in bits of every signal of the dump by its full name; lines about others are left out.
        window: where it opens.
        opened, closed: groups that are open and groups that are closed, in this order.
    """
    lines = [f'[dumpfile] "{dump}"', f'[savefile] "{save}"', f"[timestart] {window.start}", *_place(window)]
    lines += [f"[size] {_SIZE[0]} {_SIZE[1]}", "[pos] -1 -1", "[signals_width] 310", "[sst_expanded] 0"]
    for views, flags in ((opened, 0), (closed, _CLOSED)):
        for view in views:
            shown = [row for line in view.lines for row in _trace(line, signals)]
            if shown:
                lines += [f"@{_BEGIN | _BLANK | flags:x}", f"-{view.title}", *shown]
                lines += [f"@{_END | _BLANK | flags | (_COLLAPSED if flags else 0):x}", f"-{view.title}"]
    return "\n".join(lines) + "\n"


def _place(window: Window) -> Iterator[str]:
    """Zoom, cursor and markers."""
    zoom = math.log2(max(window.stop - window.start, 1) * _FRAME / _PIXELS)
    times = [time for time, _ in window.markers[:MOST_MARKERS]]
    padded = [*times, *[-1] * (MOST_MARKERS - len(times))]
    cursor = -1 if window.cursor is None else window.cursor
    yield f"*{-zoom:.6f} {cursor} {' '.join(map(str, padded))}"
    for letter, (_, name) in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", window.markers, strict=False):
        yield f"[markername] {letter}{name[:_NAME]}"


def _trace(line: Line, signals: Mapping[str, int]) -> Iterator[str]:
    """The rows of a line; none if the dump does not hold its signal."""
    width = signals.get(line.signal)
    if width is None or line.low + line.width > width:
        return
    flags, filter_row = _form(line)
    yield f"@{flags:x}"
    if filter_row:
        yield filter_row
    whole = line.signal if width == 1 else f"{line.signal}[{width - 1}:0]"
    if not line.width or (line.width == width and not line.low):
        yield f"+{{{line.label}}} {whole}" if line.label else whole
        return
    # Bits of a vector are counted from its most significant one.
    bits = [f"({width - 1 - bit}){whole}" for bit in range(line.low + line.width - 1, line.low - 1, -1)]
    yield f"+{{{line.label}}} {bits[0]}" if len(bits) == 1 else f"#{{{line.label}}} {' '.join(bits)}"


def _form(line: Line) -> tuple[int, str]:
    """The flags of a line, and the row that names its filter."""
    plain = {
        BIT: _RIGHT | _BINARY,
        DECIMAL: _RIGHT | _DECIMAL,
        HEX: _RIGHT | _HEX,
        COUNT: _RIGHT | _DECIMAL | _POPULATION,
    }
    if line.form in plain:
        return plain[line.form], ""
    if line.form in _PROGRAMS:
        return _RIGHT | _HEX | _PROCESS, f"^>1 ./{_PROGRAMS[line.form]}"
    if line.form == ROW:
        return _RIGHT | _DECIMAL | _FILE, f"^1 {wave_filters.file_of(ROW)}"
    return _RIGHT | _HEX | _FILE, f"^1 {wave_filters.file_of(line.form)}"
