"""A trace for the Perfetto viewer, written as its schema has it (perfetto/trace/trace_packet.proto).

Only the few messages that are needed are encoded; tb/system/test_timeline.py decodes them with the schema.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO

#: Nanoseconds of the trace for a cycle: a microsecond can be zoomed into.
CYCLE_NS = 1000
# Numbers of fields of Trace and TracePacket, TrackDescriptor, CounterDescriptor, TrackEvent, DebugAnnotation.
_PACKET, _TIMESTAMP, _SEQUENCE, _EVENT, _DESCRIPTOR = 1, 8, 10, 11, 60
_UUID, _NAME, _PARENT, _COUNTER, _UNIT_NAME = 1, 2, 5, 8, 6
_ANNOTATIONS, _TYPE, _TRACK, _EVENT_NAME, _VALUE = 4, 9, 11, 23, 44
_KEY, _INTEGER, _TEXT = 10, 4, 6
_BEGIN, _END, _SAMPLE = 1, 2, 4
#: The one sequence of packets that there is.
_ONE = 1


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


class PerfettoFile:
    """A trace that is being written: first its tracks, then events in the order of their times.

    Args:
        file: where it goes; open for writing.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._tracks = 0

    def track(self, name: str, parent: int | None = None, unit: str | None = None) -> int:
        """A new track; its number. With a unit of measurement it is a counter."""
        self._tracks += 1
        body = _number(_UUID, self._tracks) + _bytes(_NAME, name)
        if parent is not None:
            body += _number(_PARENT, parent)
        if unit is not None:
            body += _bytes(_COUNTER, _bytes(_UNIT_NAME, unit))
        self._packet(_bytes(_DESCRIPTOR, body))
        return self._tracks

    def begin(self, track: int, cycle: int, name: str, facts: Mapping[str, int | str] | None = None) -> None:
        """A slice begins, inside the one that is open on its track."""
        notes = b"".join(_bytes(_ANNOTATIONS, note) for note in _notes(facts or {}))
        self._event(
            cycle, _number(_TYPE, _BEGIN) + _number(_TRACK, track) + _bytes(_EVENT_NAME, name) + notes
        )

    def end(self, track: int, cycle: int) -> None:
        """The innermost open slice of a track ends."""
        self._event(cycle, _number(_TYPE, _END) + _number(_TRACK, track))

    def sample(self, track: int, cycle: int, value: float) -> None:
        """A counter has a value from this cycle on."""
        self._event(cycle, _number(_TYPE, _SAMPLE) + _number(_TRACK, track) + _double(_VALUE, value))

    def _event(self, cycle: int, body: bytes) -> None:
        self._packet(_number(_TIMESTAMP, cycle * CYCLE_NS) + _bytes(_EVENT, body))

    def _packet(self, body: bytes) -> None:
        self._file.write(_bytes(_PACKET, body + _number(_SEQUENCE, _ONE)))


def _notes(facts: Mapping[str, int | str]) -> Iterator[bytes]:
    for key, value in facts.items():
        encoded = _number(_INTEGER, value) if isinstance(value, int) else _bytes(_TEXT, value)
        yield _bytes(_KEY, key) + encoded
