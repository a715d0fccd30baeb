"""A timeline read back with the schema of Perfetto: its slices and counters by the name of their track."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as schema

from tb.bench.perfetto_file import CYCLE_NS

Facts = dict[str, int | str]


@dataclass
class Track:
    """A track.

    Attributes:
        slices: (begin, end, name, facts, depth) of each slice, in the order of their ends.
        values: (cycle, value) of a counter.
    """

    slices: list[tuple[int, int, str, Facts, int]] = field(default_factory=list)
    values: list[tuple[int, float]] = field(default_factory=list)


def read(path: Path) -> dict[str, Track]:
    """Every track of a timeline, in the order in which it names them.

    Raises:
        ValueError: times go back, or slices are not nested, or one has no cycle.
    """
    trace = schema.Trace()
    trace.ParseFromString(path.read_bytes())
    names: dict[int, str] = {}
    found: dict[str, Track] = {}
    stacks: dict[int, list[tuple[int, str, Facts]]] = defaultdict(list)
    last = 0
    for packet in trace.packet:
        if packet.HasField("track_descriptor"):
            name = names[packet.track_descriptor.uuid] = packet.track_descriptor.name
            found[name] = Track()
            continue
        event, cycle = packet.track_event, packet.timestamp // CYCLE_NS
        stack = stacks[event.track_uuid]
        if cycle < last or packet.timestamp % CYCLE_NS:
            raise ValueError(f"{packet.timestamp} ns comes after cycle {last}")
        last, name = cycle, names[event.track_uuid]
        if event.type == event.TYPE_COUNTER:
            found[name].values.append((cycle, event.double_counter_value))
        elif event.type == event.TYPE_SLICE_BEGIN:
            facts = {one.name: one.string_value or one.int_value for one in event.debug_annotations}
            stack.append((cycle, event.name, facts))
        elif not stack or stack[-1][0] >= cycle:
            raise ValueError(f"cycle {cycle} ends no slice of {name!r} that has a cycle")
        else:
            begin, title, facts = stack.pop()
            found[name].slices.append((begin, cycle, title, facts, len(stack)))
    if any(stacks.values()):
        raise ValueError("a slice does not end")
    return found


def spent(track: Track, depth: int) -> dict[str, int]:
    """Cycles of the slices of a depth by name."""
    cycles: Counter[str] = Counter()
    for begin, end, name, _, at in track.slices:
        if at == depth:
            cycles[name] += end - begin
    return dict(cycles)
