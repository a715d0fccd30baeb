"""The timeline of a run for the Perfetto viewer, from its waves and its trace of retired instructions.

Tracks: the stages of the program; what dispatch does; what retires; of each unit the head of its queue with
the reasons why it waits, and the instructions that it works on; counters of the array and the bus.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from plena_ref.isa.counters import DISPATCH, QUEUE
from plena_ref.machine.hardware import Hardware
from tb.bench import retired, timeline_slices, wave_markers, waves
from tb.bench.retired import Retired
from tb.bench.timeline_slices import (
    Counter,
    Slice,
    averages,
    facts,
    instruction,
    lane_of,
    stage_names,
)
from tb.bench.wave_samples import Samples, WaveSamples

#: What the viewer knows such a file by.
SUFFIX = ".perfetto-trace"
TIMELINE_FILE = f"timeline{SUFFIX}"
#: Cycles over which a counter is averaged.
WINDOW = 16
#: Each unit: title, letter of its instructions, instance, number in the core's vectors.
_UNITS = (("matrix", "M", "u_matrix", 0), ("vector", "V", "u_vector", 1), ("float", "F", "u_float", 2))
_ALL_UNITS = (*_UNITS, ("hbm", "H", "u_hbm", 3))
_EMPTY, _ISSUE = 0, 1


class Signals(Protocol):
    """Signals of the core in every cycle of a run: `WaveSamples`, or `Activity`."""

    def __len__(self) -> int:
        """Cycles of the run."""

    def width(self, name: str) -> int:
        """Bits of a signal."""

    def of(self, name: str, late: bool = False, word: int = 0) -> Samples:
        """A signal in every cycle: its bits 32*word to 32*word + 31; `late`: as it is a cycle later."""


def write(folder: Path, hw: Hardware) -> Path:
    """Write the timeline of a run beside its waves; the path."""
    samples = WaveSamples(folder / waves.WAVE_FILE)
    ran = [*retired.instructions(wave_markers.trace_of(folder))]
    stages = [*_stages(folder, len(samples))]
    path = folder / TIMELINE_FILE
    timeline_slices.write(path, _tracks(samples, ran, stages), machine_counters(samples, hw, WINDOW))
    return path


def _tracks(
    samples: Signals, ran: Sequence[Retired], stages: Sequence[Slice]
) -> Iterator[tuple[str, Sequence[Slice]]]:
    """Every track of slices with its title."""
    yield "stage", stages
    yield from machine_tracks(samples, ran, stage_names(stages, len(samples)))


def machine_tracks(
    samples: Signals, ran: Sequence[Retired], stage_of: Sequence[str]
) -> Iterator[tuple[str, Sequence[Slice]]]:
    """Tracks of dispatch, of the retired instructions and of each unit, with their titles.

    Args:
        samples: signals of the core.
        ran: the retired instructions.
        stage_of: the stage of every cycle.
    """
    kept = timeline_slices.kept(ran)
    spans = timeline_slices.spans(ran, kept, len(samples))
    yield from timeline_slices.sampled(ran, kept, len(samples))
    doing, names = samples.of("dispatch_state"), [one.name for one in DISPATCH]
    yield "dispatch", [one for begin, end in spans for one in _runs(doing[begin:end], names, set(), begin)]
    for title, lane in (("retired", 0), ("retired beside it", 1)):
        yield title, [instruction(one, stage_of) for one in lane_of(ran, lane) if one.number in kept]
    for title, letter, instance, number in _ALL_UNITS:
        mine = [one for one in ran if one.unit == letter]
        states = samples.of("u_counters.state_q", late=True) >> 4 * number & 15
        leaves, done = _lives(samples, instance, len(mine))
        yield f"{title}: head of the queue", [*_heads(mine, leaves, states, kept, stage_of)]
        for row, slices in enumerate(_works(mine, leaves, done, kept, stage_of)):
            yield f"{title}: at work, {row + 1}", slices


def _stages(folder: Path, cycles: int) -> Iterator[Slice]:
    """The outermost parts of the program, one after another."""
    found = sorted(wave_markers.stages(folder))
    for (begin, name), (end, _) in zip(found, [*found[1:], (cycles, "")], strict=True):
        if end > begin:
            yield Slice(begin, end, name)


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


def _lives(samples: Signals, instance: str, count: int) -> tuple[list[int | None], list[int | None]]:
    """Of each instruction of a unit: the cycle after which it is the head no longer, and that of its end."""
    slots = samples.width(f"{instance}.slot_done")
    heads = np.maximum(samples.of(f"{instance}.head"), 0)
    steps = np.diff(heads, prepend=heads[:1]) % slots
    leaves: list[int | None] = [*np.repeat(np.arange(len(steps)), steps).tolist()[:count]]
    done = [np.maximum(samples.of(f"{instance}.slot_done", word=k), 0) for k in range(-(-slots // 32))]
    ends = [(np.flatnonzero(done[slot // 32] >> slot % 32 & 1) + 1).tolist() for slot in range(slots)]
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
            yield Slice(begin, end, one.text, facts(one, stage_of), reasons)


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
        piece = Slice(begin, max(end, begin + 1), one.text, facts(one, stage_of))
        free = next((row for row in rows if row[-1].end <= begin), None)
        if free is None:
            rows.append([piece])
        else:
            free.append(piece)
    return rows


def machine_counters(samples: Signals, hw: Hardware, window: int) -> Iterator[Counter]:
    """Use of the array and of the bus, as shares of each window of so many cycles."""
    macs = np.maximum(samples.of("macs"), 0) / (hw.blen * hw.mlen)
    yield Counter("array", "% of its multiply-accumulates", averages(100 * macs, window))
    for title, name in (("bus, read", "read_beat"), ("bus, written", "write_beat")):
        beats = 100.0 * np.maximum(samples.of(name), 0)
        yield Counter(title, "% of cycles with a beat", averages(beats, window))
