"""The part of a run that its waves hold: WAVES_FROM and WAVES_TO, as the bench takes them and afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tb.bench.wave_places import Place, part_of


@dataclass(frozen=True)
class Edge:
    """A place that a machine without a listing can find.

    Attributes:
        place: as it was typed.
        kind: "cycle" or "pc".
        number: which; of a pc the first time that it retires.
    """

    place: Place
    kind: str
    number: int

    def cycle(self, trace: NDArray[np.uint32], cycles: int) -> int:
        """Its cycle in a run of so many cycles with these retired instructions.

        Raises:
            WavePlaceError: it has none.
        """
        if self.kind == "cycle":
            if self.place.kind == "wrong":
                return min(self.number, cycles - 1)
            if self.number >= cycles:
                raise self.place.error(f"the run has cycles 0 to {cycles - 1}")
            return self.number
        hits = trace[trace[:, 0] == self.number, 2]
        if not len(hits):
            raise self.place.error(f"no instruction at pc {self.number} retired")
        return int(hits[0])


@dataclass(frozen=True)
class WaveWindow:
    """From one place of a run to another, both in the waves.

    Attributes:
        start, end: the edges; None: that of the run.
    """

    start: Edge | None = None
    end: Edge | None = None

    def plusargs(self) -> list[str]:
        """What the bench is told (tb/bench/wave_window.sv)."""
        edges = (("from", self.start), ("to", self.end))
        return [f"+waves_{side}_{one.kind}={one.number}" for side, one in edges if one is not None]

    def check(self, trace: NDArray[np.uint32], cycles: int) -> None:
        """See that a run came to both edges, in their order.

        Raises:
            WavePlaceError: it did not.
        """
        found = [edge.cycle(trace, cycles) for edge in (self.start, self.end) if edge is not None]
        if self.start is not None and found != sorted(found):
            raise self.start.place.error(f"it is cycle {found[0]}, after the end of the waves, {found[1]}")


#: Cycles before and after the first wrong instruction that `wrong` takes.
AROUND = 100
#: All of a run.
WHOLE = WaveWindow()


def resolve(
    start: Place | None, end: Place | None, listing: str, instructions: int, wrong: int | None = None
) -> WaveWindow:
    """The window between two places of a program.

    Args:
        start, end: the places; None: that of the run. A stage ends with the first instruction after it.
        listing: of the program, numbered; empty if it has none.
        instructions: of the program.
        wrong: the cycle of its first wrong instruction, if that is known.

    Raises:
        WavePlaceError: the program has no such place, or the end comes before the start.
    """
    first = None if start is None else _edge(start, listing, instructions, wrong, -AROUND)
    last = None if end is None else _edge(end, listing, instructions, wrong, AROUND)
    if first is not None and last is not None and first.kind == last.kind and first.number > last.number:
        raise first.place.error(f"it comes after {last.place.key}={last.place.text}")
    return WaveWindow(first, last)


def _edge(place: Place, listing: str, instructions: int, wrong: int | None, around: int) -> Edge | None:
    """A place without names of stages; None: the end of the last one. `around` is negative at the start."""
    if place.kind == "wrong":
        if wrong is None:
            raise place.error(
                "no wrong instruction is known; make replay RUN= knows that of a run that failed"
            )
        return Edge(place, "cycle", max(wrong + around, 0))
    if place.kind == "cycle":
        return Edge(place, "cycle", place.number)
    if place.kind == "pc":
        if place.number >= instructions:
            raise place.error(
                f"the program has {instructions} instructions, the last at pc {instructions - 1}"
            )
        return Edge(place, "pc", place.number)
    part = part_of(place, listing)
    if around < 0:
        return Edge(place, "pc", part.pc)
    return None if part.end is None else Edge(place, "pc", part.end)
