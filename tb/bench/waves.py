"""Wave files: what viewers show of a run first, and the retired opcodes read back from its FST."""

from __future__ import annotations

from pathlib import Path

import pywellen

from tb.bench import gtkwave, surfer, surfer_state, wave_filters, wave_markers, wave_rows, wave_views
from tb.bench.gtkwave import Window
from tb.bench.wave_views import BENCH, CORE, HEX, Line, View

WAVE_FILE = "dump.fst"
SAVE_FILE = "plena.gtkw"
#: The same lines for Surfer, as commands and as a state.
SURFER_FILE, SURFER_STATE = "plena.sucl", "plena.surf.ron"
#: Cycles that are visible around a place that was asked for.
AROUND = 32
#: Groups of the rest: title and the instance inside the core whose own signals it shows.
UNITS = (
    ("frontend", "u_front"),
    ("matrix unit", "u_matrix"),
    ("vector unit", "u_vector"),
    ("float unit", "u_float"),
    ("HBM unit", "u_hbm"),
    ("vector SRAM", "u_vram"),
    ("matrix SRAM", "u_msram"),
    ("FP_MEM", "u_fpmem"),
    ("INT_MEM", "u_intmem"),
    ("control registers", "u_regs"),
    ("performance counters", "u_counters"),
)
_WIDEST = 64


def write_save_file(folder: Path, at: int | None = None) -> Path:
    """Write the save files for GTKWave and Surfer, and what they need; return the path of the first.

    The overview is open; at a place, so are the unit that works there and the rows of data. The other units
    follow in the order of the pipeline, then all signals of up to 64 bits by unit; these are closed. Only
    signals that the FST holds are named, and all paths are relative to ``folder``.

    Args:
        folder: of the run; its listing, trace and result.json give the markers where they are there.
        at: the cycle at which it opens; None: the first wrong instruction, or the whole run if all is right.
    """
    wave_filters.write(folder, wave_rows.names(folder))
    dump = pywellen.Waveform(str(folder / WAVE_FILE))
    signals = _signals(dump)
    rows = wave_views.rows(_row_elements(signals))
    chosen = [wave_views.OVERVIEW, *wave_views.PIPELINE, rows]
    path = folder / SAVE_FILE
    place = wave_markers.first_wrong(folder) if at is None else at
    titles = {wave_views.OVERVIEW.title}
    if place is not None:
        titles |= {wave_markers.unit_at(folder, place), rows.title}
    opened = [view for view in chosen if view.title in titles]
    closed = [view for view in chosen if view.title not in titles]
    closed += [_everything(title, instance, signals) for title, instance in UNITS]
    window = _window(dump, folder, place)
    path.write_text(gtkwave.text(WAVE_FILE, SAVE_FILE, signals, window, opened, closed))
    (folder / SURFER_FILE).write_text(surfer.text(signals, chosen, window.cursor))
    others = [view for view in chosen if view not in opened]
    state = surfer_state.text(signals, opened, others, window, WAVE_FILE, _last_time(dump))
    (folder / SURFER_STATE).write_text(state)
    return path


def _row_elements(signals: dict[str, int]) -> int:
    """Elements of a row of data."""
    return signals.get(wave_views.ROWS[0][1], 16) // 16


def _everything(title: str, instance: str, signals: dict[str, int]) -> View:
    """All signals of a unit of up to 64 bits."""
    prefix = f"{CORE}.{instance}."
    names = [name for name in signals if name.startswith(prefix) and "." not in name.removeprefix(prefix)]
    shown = [name for name in names if signals[name] <= _WIDEST and not name.endswith((".clk", ".rst"))]
    return View(f"{title}: all signals", tuple(Line(name, HEX) for name in shown))


def _window(dump: pywellen.Waveform, folder: Path, place: int | None) -> Window:
    """The run, or what lies around a cycle, with the stages of the program as markers."""
    times = _times_of_cycles(dump)
    first, last = min(times, default=0), max(times, default=0)
    wrong = wave_markers.first_wrong(folder)
    places = [] if wrong is None else [(wrong, "first wrong instruction")]
    places += wave_markers.marked(folder)
    markers = tuple((times[cycle], name) for cycle, name in places if cycle in times)
    if place is None or not first <= place <= last:
        return Window(times.get(first, 0), times.get(last, 1), None, markers)
    low, high = max(place - AROUND // 2, first), min(place + AROUND // 2, last)
    return Window(times[low], max(times[high], times[low] + 1), times[place], markers)


def held(folder: Path) -> tuple[int, int]:
    """The first and the last cycle of a run that its waves hold."""
    times = _times_of_cycles(pywellen.Waveform(str(folder / WAVE_FILE)))
    return min(times, default=0), max(times, default=0)


def _times_of_cycles(dump: pywellen.Waveform) -> dict[int, int]:
    """The time of the dump at which each cycle of the last run began."""
    for variable in dump.all_vars():
        if variable.full_name == f"{CORE}.cycles":
            return {int(value): int(time) for time, value in variable.tv if isinstance(value, int)}
    return {}


def _last_time(dump: pywellen.Waveform) -> int:
    """The time of the last change of the clock."""
    for variable in dump.all_vars():
        if variable.full_name == f"{BENCH}.clk":
            return max((int(time) for time, _ in variable.tv), default=1)
    return 1


def retired_opcodes(wave_file: Path) -> list[int]:
    """Return the opcodes of the retired instructions in order, sampled at the rising edges of the clock."""
    signals = {variable.full_name: variable for variable in pywellen.Waveform(str(wave_file)).all_vars()}
    names = ("clk", "trace_valid", "trace_instr")
    clock, valid, word = (list(signals[f"{BENCH}.{name}"].tv) for name in names)
    rising = [time for time, value in clock if value == 1]
    retired = zip(_before(valid, rising), _before(word, rising), strict=True)
    return [bits >> 32 * slot & 0x3F for taken, bits in retired for slot in range(2) if taken >> slot & 1]


def _before(changes: list[tuple[int, int]], times: list[int]) -> list[int]:
    """The value of a signal just before each of the rising ``times``: what a flip-flop takes there."""
    values, value, at = [], 0, 0
    for time in times:
        while at < len(changes) and changes[at][0] < time:
            value = changes[at][1]
            at += 1
        values.append(value)
    return values


def _signals(dump: pywellen.Waveform) -> dict[str, int]:
    """Width in bits of every signal by its full name."""
    found = {}
    for variable in dump.all_vars():
        width = variable.bitwidth
        if variable.type != "Parameter" and width is not None and width > 0:
            found[variable.full_name] = width
    return dict(sorted(found.items()))
