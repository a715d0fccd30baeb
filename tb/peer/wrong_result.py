"""Which instruction wrote the worst miss of a result that is not what it must be."""

from __future__ import annotations

import numpy as np

from plena_ref.machine.reference import Machine
from plena_ref.machine.reference.step import Step
from tb.peer import verdict
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
    """A line for the worst miss of each batch that has any: where it lies and who wrote it last."""
    build, params, ours = outcome.build, outcome.build.comparison, outcome.ours
    failed = [row.batch for row in ours.batches if row.misses]
    if ours.accurate or not failed:
        return []
    golden = verdict.judged_golden(build.golden, params)
    got = verdict.result_of(outcome.run.images.vram, params, golden.shape[1])
    with np.errstate(invalid="ignore"):
        excess = np.abs(got - golden) - ours.tolerance.atol - ours.tolerance.rtol * np.abs(golden)
    excess = np.where(np.isnan(excess), np.inf, excess)
    seq, table = params.active_seq_per_batch, params.places(golden.shape[1])
    worst = []
    for batch in failed:
        part = excess[batch * seq : (batch + 1) * seq]
        row, column = divmod(int(np.argmax(part)), part.shape[1])
        worst.append((batch, row, column, int(table[batch * seq + row, column])))
    writers = last_writers(build.program, [place for *_, place in worst])
    lines = []
    for (batch, row, column, place), pc in zip(worst, writers, strict=True):
        where = f"VRAM row {place // params.row_dim}, column {place % params.row_dim}"
        values = f"got {got[batch * seq + row, column]:.5g}, golden {golden[batch * seq + row, column]:.5g}"
        who = "no instruction wrote it" if pc is None else f"last written by {build.program.place(pc)}"
        lines.append(f"worst miss of batch {batch} ({row}, {column}): {values}; {where}; {who}")
    return lines
