"""No correct run fails, and runs that are a little wrong do, by the tolerance of each row."""

from __future__ import annotations

import numpy as np
import pytest

from plena_ref.machine.reference import Machine
from plena_ref.verdict.accuracy import accurate, result_values
from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.case import Case
from plena_ref.workloads.registry import CASES

#: Machine and shapes: ragged, several key tiles, grouped, after a cache, windows and sinks.
SHAPES = (
    {"SEQ": "5"},
    {"SEQ": "19", "CAUSAL": "1"},
    {"SEQ": "3", "KV_SEQ": "40", "CAUSAL": "1", "HEADS": "4", "KV_HEADS": "2"},
    {"SEQ": "21", "CAUSAL": "1", "WINDOW": "9", "SINKS": "1"},
)
SMALL = {"MLEN": "8", "BLEN": "4", "HLEN": "8", "BATCH": "2", "HEAD_DIM": "8"}


def small(seed: int, **options: str) -> Case:
    return CASES["mha_ragged"].override(**SMALL, **options, SEED=str(seed))


def result(work: Workload) -> np.ndarray:
    machine = Machine(work.hardware, work.images, work.limit)
    machine.run(work.words)
    return result_values(work, machine.images.vram)


def test_a_seed_that_the_fixed_tolerance_refused() -> None:
    work = build(CASES["mha"].override(SEED="54"))
    assert accurate(work, result(work))


@pytest.mark.parametrize("options", SHAPES, ids=lambda options: " ".join(options))
def test_correct_runs_pass(options: dict[str, str]) -> None:
    for seed in range(12):
        for sigma in ("0.75", "1.5"):
            work = build(small(seed, **options, SIGMA=sigma))
            assert accurate(work, result(work)), f"seed {seed}, sigma {sigma}"


@pytest.mark.parametrize("sigma", ["1.5", "200"])
def test_steep_rows_have_the_sound_interval(sigma: str) -> None:
    work = build(small(3, **SHAPES[1], SIGMA=sigma))
    lower, upper = work.interval
    assert accurate(work, result(work))
    assert ((upper - lower).max() > 100 * work.deviation.max()) == (sigma == "200")
