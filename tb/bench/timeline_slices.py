"""Slices and counters of a timeline, and how they get into a trace for the Perfetto viewer."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tb.bench.perfetto_file import PerfettoFile
from tb.bench.retired import Retired

#: Instructions of a run whose slices are all there. Of a longer one blocks of BLOCK instructions are, evenly
#: spread, so many that this number is kept, and dispatch in their cycles; stages and counters are whole.
MOST_INSTRUCTIONS, BLOCK = 400_000, 1_000


@dataclass(frozen=True, slots=True)
class _Event:
    """What is written, in the order of time; ends come before beginnings, inner ends before outer ones."""

    cycle: int
    rank: int
    order: int
    track: int
    name: str | None
    facts: Mapping[str, int | str] = field(default_factory=dict)
    value: float | None = None


#: By what events are sorted; equal ones stay in the order of their tracks.
_PLACE = operator.attrgetter("cycle", "rank", "order")


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True)
class Counter:
    """A graph: values with the cycles from which they hold.

    Attributes:
        title: what it is.
        unit: of its values.
        values: cycle and value.
    """

    title: str
    unit: str
    values: Sequence[tuple[int, float]]


def write(path: Path, tracks: Iterable[tuple[str, Sequence[Slice]]], counters: Iterable[Counter]) -> None:
    """Write a trace of tracks, each with its title, and of counters."""
    with path.open("wb") as file:
        out = PerfettoFile(file)
        events: list[_Event] = []
        for title, slices in tracks:
            _add(events, out.track(title), slices)
        for counter in counters:
            track = out.track(counter.title, unit=counter.unit)
            events += [_Event(cycle, 2, 0, track, None, value=value) for cycle, value in counter.values]
        for event in sorted(events, key=_PLACE):
            _write(out, event)


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


def kept(ran: Sequence[Retired]) -> set[int] | range:
    """The numbers of the instructions that have slices."""
    if len(ran) <= MOST_INSTRUCTIONS:
        return range(len(ran))
    every = -(-len(ran) // MOST_INSTRUCTIONS)
    return {one.number for one in ran if one.number // BLOCK % every == 0}


def spans(ran: Sequence[Retired], kept: set[int] | range, cycles: int) -> list[tuple[int, int]]:
    """First cycle and end of each run of instructions that have slices, in a run of so many cycles."""
    begins = [
        one.cycle if one.number else 0 for one in ran if one.number in kept and one.number - 1 not in kept
    ]
    ends = [one.cycle for one in ran if one.number not in kept and one.number - 1 in kept]
    return list(zip(begins, [*ends, cycles][: len(begins)], strict=True))


def sampled(
    ran: Sequence[Retired], kept: set[int] | range, cycles: int
) -> Iterator[tuple[str, Sequence[Slice]]]:
    """A track that says where the slices of instructions are, if they are not everywhere."""
    if len(kept) < len(ran):
        every = -(-len(ran) // MOST_INSTRUCTIONS)
        name = f"instructions have slices: a block of {BLOCK:,} of each {every * BLOCK:,}"
        yield "sampled", [Slice(begin, end, name) for begin, end in spans(ran, kept, cycles) if end > begin]


def stage_names(stages: Sequence[Slice], cycles: int) -> list[str]:
    """The stage of every cycle."""
    names = [""] * (cycles + 1)
    for one in stages:
        names[one.begin : one.end] = [one.name] * (one.end - one.begin)
    return names


def facts(one: Retired, stage_of: Sequence[str]) -> dict[str, int | str]:
    """What a slice of an instruction says beside its name."""
    said: dict[str, int | str] = {"pc": one.pc, "number": one.number}
    if one.loops:
        said["loops"] = ", ".join(one.loops)
    stage = stage_of[min(one.cycle, len(stage_of) - 1)]
    return {**said, "stage": stage} if stage else said


def instruction(one: Retired, stage_of: Sequence[str]) -> Slice:
    """An instruction in the cycle in which it retires."""
    return Slice(one.cycle, one.cycle + 1, one.text, facts(one, stage_of))


def lane_of(ran: Sequence[Retired], lane: int) -> Iterator[Retired]:
    """The first, or the second, of the instructions that retire in a cycle."""
    before = -1
    for one in ran:
        if int(one.cycle == before) == lane:
            yield one
        before = one.cycle


def averages(values: NDArray[np.float64], window: int) -> list[tuple[int, float]]:
    """Averages over windows of so many cycles; the last window may be shorter."""
    return [(start, float(values[start : start + window].mean())) for start in range(0, len(values), window)]
