"""The timeline of a pass of a language model for the Perfetto viewer, from its trace of retired instructions.

A pass has no waves, which would take gigabytes, so no queues and no reasons of stalls; those of a layer alone
are in the timeline of its case (docs/waves.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.encoding import Unit
from tb.bench import retired, timeline_slices
from tb.bench.timeline_slices import Counter, Slice, averages, instruction, lane_of, stage_names

#: Cycles over which a counter is averaged.
WINDOW = 1024
#: A step of a layer begins with the number of the layer.
_LAYER = re.compile(r"layer (\d+)\b")
_UNITS = (("matrix", Unit.M), ("vector", Unit.V), ("float", Unit.F), ("HBM", Unit.H))


def write(path: Path, trace: NDArray[np.uint32], marks: Sequence[tuple[int, str]], cycles: int) -> None:
    """Write it: layers with their steps inside, retired instructions, and how many each unit is given.

    Args:
        path: of the file.
        trace: of the pass, uint32[n, 3] of pc, word and cycle.
        marks: pc and name of each step of the program, in order.
        cycles: of the pass.
    """
    ran = [*retired.instructions(trace)]
    layers = [*_layers(_steps(trace, marks, cycles))]
    timeline_slices.write(path, _tracks(ran, layers, cycles), _counters(ran, cycles))


def _steps(trace: NDArray[np.uint32], marks: Sequence[tuple[int, str]], cycles: int) -> Iterator[Slice]:
    """Every step, from the cycle in which its first instruction retires to that of the next step."""
    pcs, first = np.unique(trace[:, 0], return_index=True)
    at = dict(zip(pcs.tolist(), trace[first, 2].tolist(), strict=True))
    begins = [(at[pc], name) for pc, name in marks if pc in at]
    for (begin, name), (end, _) in zip(begins, [*begins[1:], (cycles, "")], strict=True):
        if end > begin:
            yield Slice(begin, end, name)


def _layers(steps: Iterator[Slice]) -> Iterator[Slice]:
    """Steps of one layer that follow one another, as slices of one of the layer; the others as they are."""
    name, inner = "", list[Slice]()
    for step in [*steps, None]:
        found = _LAYER.match(step.name) if step is not None else None
        layer = "" if found is None else found[0]
        if inner and layer != name:
            yield Slice(inner[0].begin, inner[-1].end, name, inner=inner)
            inner = []
        name = layer
        if step is not None and layer:
            inner.append(step)
        elif step is not None:
            yield step


def _tracks(
    ran: Sequence[retired.Retired], layers: Sequence[Slice], cycles: int
) -> Iterator[tuple[str, Sequence[Slice]]]:
    """Every track of slices with its title."""
    kept = timeline_slices.kept(ran)
    stage_of = stage_names([step for layer in layers for step in layer.inner or [layer]], cycles)
    yield "layer", layers
    for title, lane in (("retired", 0), ("retired beside it", 1)):
        yield title, [instruction(one, stage_of) for one in lane_of(ran, lane) if one.number in kept]


def _counters(ran: Sequence[retired.Retired], cycles: int) -> Iterator[Counter]:
    """How many instructions of each unit retire in a cycle."""
    for title, unit in _UNITS:
        counts = np.bincount([one.cycle for one in ran if one.unit == unit.name], minlength=cycles)
        yield Counter(
            f"to the {title} unit", "instructions a cycle", averages(counts.astype(np.float64), WINDOW)
        )
