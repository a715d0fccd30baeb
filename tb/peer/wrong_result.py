"""Which instruction wrote the worst element of a result that is not what it must be."""

from __future__ import annotations

import numpy as np

from plena_ref.machine.reference import Machine
from plena_ref.machine.reference.step import Step
from tb.peer.build_run import BuildOutcome
from tb.peer.prepared import Prepared


def last_writers(program: Prepared, places: list[int]) -> list[int | None]:
    """The pc of the last instruction that wrote each of some VRAM elements; None: no instruction did."""
    machine = Machine(program.shape.hardware, program.images(), program.shape.limit)
    written = machine.written.vram
    at = np.array(places)
    writers: list[int | None] = [None] * len(places)

    def watch(pc: int, step: Step) -> Step:
        def watched() -> int | None:
            target = step()
            if written[at].any():
                for number in np.flatnonzero(written[at]):
                    writers[number] = pc
                written[at] = False
            return target

        return watched

    machine.run(program.words, watch=watch)
    return writers


def explain(outcome: BuildOutcome) -> list[str]:
    """A line for the worst element of each batch that has misses: where it lies and who wrote it last."""
    build, params = outcome.build, outcome.build.comparison
    failed = [row for row in outcome.ours.batches if row.misses]
    if not failed:
        return []
    columns = params.columns(build.golden.values.shape[1])
    table = params.places(columns)
    rows = [row.batch * params.active_seq_per_batch + row.worst.row for row in failed]
    places = [int(table[at, row.worst.column]) for at, row in zip(rows, failed, strict=True)]
    lines = []
    for row, place, pc in zip(failed, places, last_writers(build.program, places), strict=True):
        where = f"VRAM row {place // params.row_dim}, column {place % params.row_dim}"
        who = "no instruction wrote it" if pc is None else f"last written by {build.program.place(pc)}"
        lines.append(
            f"worst element of batch {row.batch} ({row.worst.row}, {row.worst.column}): {where}; {who}"
        )
    return lines
