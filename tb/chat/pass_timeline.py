"""The timeline of a pass of a language model for the Perfetto viewer.

A pass has no waves, which would take gigabytes: the bench writes the few signals that a timeline needs
(tb/bench/activity_file.sv).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.counters import QUEUE
from plena_ref.isa.encoding import Unit
from plena_ref.machine.hardware import Hardware
from tb.bench import retired, timeline, timeline_slices
from tb.bench.activity import Activity
from tb.bench.timeline_slices import Counter, Slice, averages, stage_names

#: Cycles over which a counter is averaged.
WINDOW = 1024
#: A step of a layer begins with the number of the layer.
_LAYER = re.compile(r"layer (\d+)\b")
_UNITS = (("matrix", Unit.M), ("vector", Unit.V), ("float", Unit.F), ("hbm", Unit.H))


def write(
    path: Path,
    hw: Hardware,
    trace: NDArray[np.uint32],
    activity: NDArray[np.uint32],
    marks: Sequence[tuple[int, str]],
) -> None:
    """Write it: layers with their steps inside, the tracks of a run, and graphs of work and of stalls.

    Args:
        path: of the file.
        hw: machine shape.
        trace: of the pass, uint32[n, 3] of pc, word and cycle.
        activity: of the pass, see `JobResult`.
        marks: pc and name of each step of the program, in order.
    """
    ran, samples = [*retired.instructions(trace)], Activity(activity)
    layers = [*_layers(_steps(trace, marks, len(samples)))]
    timeline_slices.write(path, _tracks(samples, ran, layers), _counters(samples, ran, hw))


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
    samples: Activity, ran: Sequence[retired.Retired], layers: Sequence[Slice]
) -> Iterator[tuple[str, Sequence[Slice]]]:
    """Every track of slices with its title."""
    steps = [step for layer in layers for step in layer.inner or [layer]]
    yield "layer", layers
    yield from timeline.machine_tracks(samples, ran, stage_names(steps, len(samples)))


def _counters(samples: Activity, ran: Sequence[retired.Retired], hw: Hardware) -> Iterator[Counter]:
    """Use of array and bus; of each unit how many instructions it is given, and why its head waits."""
    yield from timeline.machine_counters(samples, hw, WINDOW)
    states = samples.of("u_counters.state_q", late=True)
    for number, (title, unit) in enumerate(_UNITS):
        given = np.bincount([one.cycle for one in ran if one.unit == unit.name], minlength=len(samples))
        yield Counter(f"{title}: given", "instructions a cycle", averages(given.astype(np.float64), WINDOW))
        state = states >> 4 * number & 15
        for code in np.unique(state).tolist():
            share = 100.0 * (state == code)
            yield Counter(f"{title}: {QUEUE[code].name}", "% of cycles", averages(share, WINDOW))
