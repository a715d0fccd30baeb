"""The timeline of a run for the Perfetto viewer, from its waves and its trace of retired instructions.

Tracks: the stages of the program; what dispatch does; what retires; of each unit the head of its queue with
the reasons why it waits, and the instructions that it works on; counters of the array and the bus.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from plena_ref.isa.counters import DISPATCH, QUEUE
from plena_ref.machine.hardware import Hardware
from tb.bench import retired, wave_markers, waves
from tb.bench.perfetto_file import PerfettoFile
from tb.bench.retired import Retired
from tb.bench.wave_samples import Samples, WaveSamples

TIMELINE_FILE = "timeline.perfetto-trace"
#: Cycles over which a counter is averaged.
WINDOW = 16
#: Instructions of a run whose slices are all there. Of a longer one blocks of BLOCK instructions are, evenly
#: spread, so many that this number is kept; stages, dispatch and counters are whole.
MOST_INSTRUCTIONS, BLOCK = 400_000, 1_000
#: Each unit: title, letter of its instructions, instance, number in the core's vectors.
_UNITS = (("matrix", "M", "u_matrix", 0), ("vector", "V", "u_vector", 1), ("float", "F", "u_float", 2))
_ALL_UNITS = (*_UNITS, ("hbm", "H", "u_hbm", 3))
_EMPTY, _ISSUE = 0, 1


@dataclass(frozen=True, order=True)
class _Event:
    """What is written, in the order of time; ends come before beginnings, inner ends before outer ones."""

    cycle: int
    rank: int
    order: int
    track: int = field(compare=False)
    name: str | None = field(compare=False)
    facts: Mapping[str, int | str] = field(compare=False, default_factory=dict)
    value: float | None = field(compare=False, default=None)


@dataclass(frozen=True)
class Slice:
    """A slice of a track, with slices inside it.

    Attributes:
        begin, end: cycles; it covers begin..end-1.
        name, facts: what it says.
        inner: slices inside it that do not overlap.
    """

    begin: int
    end: int
    name: str
    facts: Mapping[str, int | str] = field(default_factory=dict)
    inner: Sequence[Slice] = ()


def write(folder: Path, hw: Hardware) -> Path:
    """Write the timeline of a run beside its waves; the path."""
    samples = WaveSamples(folder / waves.WAVE_FILE)
    ran = [*retired.instructions(wave_markers.trace_of(folder))]
    stages = [*_stages(folder, len(samples))]
    path = folder / TIMELINE_FILE
    with path.open("wb") as file:
        out = PerfettoFile(file)
        events: list[_Event] = []
        for title, slices in _tracks(samples, ran, stages):
            _add(events, out.track(title), slices)
        for title, unit, values in _counters(samples, hw):
            track = out.track(title, unit=unit)
            events += [_Event(cycle, 2, 0, track, None, value=value) for cycle, value in values]
        for event in sorted(events):
            _write(out, event)
    return path


def _write(out: PerfettoFile, event: _Event) -> None:
    if event.value is not None:
        out.sample(event.track, event.cycle, event.value)
    elif event.name is None:
        out.end(event.track, event.cycle)
    else:
        out.begin(event.track, event.cycle, event.name, event.facts)


def _add(events: list[_Event], track: int, slices: Iterable[Slice], depth: int = 0) -> None:
    """The events of slices that do not overlap."""
    for one in slices:
        events.append(_Event(one.begin, 1, depth, track, one.name, one.facts))
        _add(events, track, one.inner, depth + 1)
        events.append(_Event(one.end, 0, -depth, track, None))


def _tracks(
    samples: WaveSamples, ran: Sequence[Retired], stages: Sequence[Slice]
) -> Iterator[tuple[str, Sequence[Slice]]]:
    """Every track of slices with its title."""
    kept = _kept(ran)
    stage_of = _stage_names(stages, len(samples))
    yield "stage", stages
    yield "dispatch", _runs(samples.of("dispatch_state"), [one.name for one in DISPATCH], set())
    for title, lane in (("retired", 0), ("retired beside it", 1)):
        yield title, [_instruction(one, stage_of) for one in _lane(ran, lane) if one.number in kept]
    for title, letter, instance, number in _ALL_UNITS:
        mine = [one for one in ran if one.unit == letter]
        states = samples.of("u_counters.state_q", late=True) >> 4 * number & 15
        leaves, done = _lives(samples, instance, len(mine))
        yield f"{title}: head of the queue", [*_heads(mine, leaves, states, kept, stage_of)]
        for row, slices in enumerate(_works(mine, leaves, done, kept, stage_of)):
            yield f"{title}: at work, {row + 1}", slices


def _kept(ran: Sequence[Retired]) -> set[int] | range:
    """The numbers of the instructions that have slices."""
    if len(ran) <= MOST_INSTRUCTIONS:
        return range(len(ran))
    every = -(-len(ran) // MOST_INSTRUCTIONS)
    return {one.number for one in ran if one.number // BLOCK % every == 0}


def _stages(folder: Path, cycles: int) -> Iterator[Slice]:
    """The outermost parts of the program, one after another."""
    found = sorted(wave_markers.stages(folder))
    for (begin, name), (end, _) in zip(found, [*found[1:], (cycles, "")], strict=True):
        if end > begin:
            yield Slice(begin, end, name)


def _stage_names(stages: Sequence[Slice], cycles: int) -> list[str]:
    """The stage of every cycle."""
    names = [""] * (cycles + 1)
    for one in stages:
        names[one.begin : one.end] = [one.name] * (one.end - one.begin)
    return names


def _facts(one: Retired, stage_of: Sequence[str]) -> dict[str, int | str]:
    """What a slice of an instruction says beside its name."""
    facts: dict[str, int | str] = {"pc": one.pc, "number": one.number}
    if one.loops:
        facts["loops"] = ", ".join(one.loops)
    stage = stage_of[min(one.cycle, len(stage_of) - 1)]
    return {**facts, "stage": stage} if stage else facts


def _instruction(one: Retired, stage_of: Sequence[str]) -> Slice:
    return Slice(one.cycle, one.cycle + 1, one.text, _facts(one, stage_of))


def _lane(ran: Sequence[Retired], lane: int) -> Iterator[Retired]:
    """The first, or the second, of the instructions that retire in a cycle."""
    before = -1
    for one in ran:
        if int(one.cycle == before) == lane:
            yield one
        before = one.cycle


def _runs(values: Samples, names: Sequence[str], without: set[int], begin: int = 0) -> list[Slice]:
    """Runs of equal values as slices, named after the values."""
    if not len(values):
        return []
    starts = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist()]
    return [
        Slice(begin + start, begin + end, names[values[start]])
        for start, end in zip(starts, [*starts[1:], len(values)], strict=True)
        if 0 <= values[start] < len(names) and values[start] not in without
    ]


def _lives(samples: WaveSamples, instance: str, count: int) -> tuple[list[int | None], list[int | None]]:
    """Of each instruction of a unit: the cycle after which it is the head no longer, and that of its end."""
    slots = samples.width(f"{instance}.slot_done")
    heads = np.maximum(samples.of(f"{instance}.head"), 0)
    steps = np.diff(heads, prepend=heads[:1]) % slots
    leaves: list[int | None] = [*np.repeat(np.arange(len(steps)), steps).tolist()[:count]]
    done = np.maximum(samples.of(f"{instance}.slot_done"), 0)
    ends: list[list[int]] = [(np.flatnonzero(done >> slot & 1) + 1).tolist() for slot in range(slots)]
    waiting = [deque(one) for one in ends]
    found = [waiting[k % slots].popleft() if waiting[k % slots] else None for k in range(count)]
    return leaves + [None] * (count - len(leaves)), found


def _heads(
    mine: Sequence[Retired],
    leaves: Sequence[int | None],
    states: Samples,
    kept: set[int] | range,
    stage_of: Sequence[str],
) -> Iterator[Slice]:
    """Each instruction while it is the head of its queue, with the reasons why it waits inside."""
    free = 0
    for one, left in zip(mine, leaves, strict=True):
        end = len(states) if left is None else left
        begin = max(free, one.cycle + 1)
        free = max(free, end)
        if end > begin and one.number in kept:
            reasons = _runs(states[begin:end], [state.name for state in QUEUE], {_EMPTY, _ISSUE}, begin)
            yield Slice(begin, end, one.text, _facts(one, stage_of), reasons)


def _works(
    mine: Sequence[Retired],
    leaves: Sequence[int | None],
    done: Sequence[int | None],
    kept: set[int] | range,
    stage_of: Sequence[str],
) -> list[list[Slice]]:
    """Each instruction from its issue to its end, on as many rows as are at work at a time."""
    rows: list[list[Slice]] = []
    for one, left, end in zip(mine, leaves, done, strict=True):
        if left is None or end is None or one.number not in kept:
            continue
        # What issues before its turn is the head no more when its turn comes.
        begin = max(min(left - 1, end - 1), one.cycle + 1)
        piece = Slice(begin, max(end, begin + 1), one.text, _facts(one, stage_of))
        free = next((row for row in rows if row[-1].end <= begin), None)
        if free is None:
            rows.append([piece])
        else:
            free.append(piece)
    return rows


def _counters(samples: WaveSamples, hw: Hardware) -> Iterator[tuple[str, str, list[tuple[int, float]]]]:
    """Counters: title, unit of measurement, values with the cycles from which they hold."""
    macs = np.maximum(samples.of("macs"), 0) / (hw.blen * hw.mlen)
    yield "array", "% of its multiply-accumulates", _averages(100 * macs)
    for title, name in (("bus, read", "read_beat"), ("bus, written", "write_beat")):
        yield title, "% of cycles with a beat", _averages(100 * np.maximum(samples.of(name), 0))


def _averages(values: np.ndarray) -> list[tuple[int, float]]:
    """Averages over windows of cycles; the last window may be shorter."""
    return [(start, float(values[start : start + WINDOW].mean())) for start in range(0, len(values), WINDOW)]
