"""The embedding on the RTL: one program, and ids up to the last row and past it."""

from __future__ import annotations

from plena_ref.machine.reference import Machine
from plena_ref.workloads.build import build
from plena_ref.workloads.embedding import Embedding
from plena_ref.workloads.registry import CASES
from tb.bench import harness


def test_the_first_and_the_last_row_and_one_past_it() -> None:
    """The same words each time; the id past the last row traps at its last column block."""
    workload = build(CASES["embedding"].override(batch=1, seq=1))
    assert isinstance(workload.case.problem, Embedding)
    vocabulary = workload.case.problem.vocabulary
    jobs, reports = [], []
    for token in (0, vocabulary - 1, vocabulary):
        images = workload.images.copy()
        images.intmem[0] = token
        jobs.append(harness.Job(workload.words, images, workload.limit))
        machine = Machine(workload.hardware, images.copy(), workload.limit)
        reports.append((machine.run(workload.words), machine.images.vram))
    results = harness.run(workload.hardware, jobs).jobs
    assert [result.cause for result in results] == [None, None, "HBM_ERROR"]
    for result, (report, vram) in zip(results, reports, strict=True):
        assert (result.status, result.cause, result.pc) == (report.status, report.cause, report.pc)
        assert (result.images.vram == vram).all()
