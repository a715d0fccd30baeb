"""Programs as compilers emit them, both forms of the M_MM column offset, on the RTL: one memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plena_ref.machine.hardware import Hardware
from plena_ref.workloads.attention import PLAIN_FORMS, attention_of
from plena_ref.workloads.build import build
from plena_ref.workloads.registry import group
from tb.bench import case_runner, harness
from tb.bench.harness import Job
from tb.engine import simulate

PLAIN_CASES = group("plain")
MACHINES = sorted({case.hardware for case in PLAIN_CASES}, key=lambda hw: hw.mlen)


def test_there_are_six_shapes_and_more() -> None:
    """Batches, ragged tiles, a cache, vision, grouped queries, decode; both numbers that hide a score."""
    assert len(PLAIN_CASES) >= 6
    problems = [attention_of(case) for case in PLAIN_CASES]
    assert {problem.mask_value for problem in problems if problem.causal} == {-np.inf, -6e4}
    assert {problem.packed_output for problem in problems} == {False, True}


@pytest.mark.parametrize("hw", MACHINES, ids=lambda hw: f"{hw.mlen}-{hw.blen}")
def test_both_forms_pass_with_the_same_memory(hw: Hardware) -> None:
    """All cases of a machine in one simulation."""
    simulate.require(simulate.default_simulator())
    cases = [case for case in PLAIN_CASES if case.hardware == hw]
    workloads = [build(replace(case, kernel=form)) for case in cases for form in PLAIN_FORMS]
    jobs = [Job(workload.words, workload.images, workload.limit) for workload in workloads]
    results = harness.run(hw, jobs).jobs
    for workload, got in zip(workloads, results, strict=True):
        outcome = case_runner.judge(workload, got)
        assert outcome.passed, (workload.case.name, outcome.reasons, outcome.verdict.reasons)
    for rows, elements in zip(results[::2], results[1::2], strict=True):
        np.testing.assert_array_equal(rows.images.vram, elements.images.vram)
    for by_rows, by_elements in zip(workloads[::2], workloads[1::2], strict=True):
        assert by_rows.words != by_elements.words
