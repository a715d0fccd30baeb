"""What memory held before does not matter to the kernels; the programs of other compilers run as well."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from plena_ref.machine.state import MemoryImages
from plena_ref.verdict.accuracy import result_values
from plena_ref.workloads.base import Workload
from plena_ref.workloads.build import build
from plena_ref.workloads.case import make_case
from tb.bench.case_runner import judge
from tb.bench.harness import Job, run
from tb.system.equivalence import MEMORIES
from tb.system.test_latency import ATTENTION

CASE = make_case("prior", hardware=ATTENTION, batch=2, seq=20, heads=1, head_dim=24, causal=True, sigma=1.0)


def filled(workload: Workload, fill: str) -> MemoryImages:
    """The case's images with everything that it does not stage replaced."""
    images = workload.images.copy()
    poison = MemoryImages.poisoned(workload.case.hardware)
    rng = np.random.default_rng(5)
    for memory in MEMORIES:
        image = getattr(images, memory)
        free = getattr(workload.images, memory) == getattr(poison, memory)
        top = np.iinfo(image.dtype).max
        filler = {
            "poison": image,
            "zeros": np.zeros_like(image),
            "random": rng.integers(0, top, image.shape, image.dtype, endpoint=True),
            "infinities": np.full_like(image, 0x7F80 if image.dtype == np.uint16 else 0x7F),
        }[fill]
        image[free] = filler[free]
    return images


def test_what_memory_held_before_does_not_matter() -> None:
    """The result of the kernel is the same bits over poison, zeros, random data and infinities."""
    workload = build(CASE)
    fills = ("poison", "zeros", "random", "infinities")
    jobs = [
        Job(workload.words, filled(workload, fill), workload.limit, reset=fill == "poison", timeout=1_000_000)
        for fill in fills
    ]
    results = run(CASE.hardware, jobs).jobs
    assert judge(workload, results[0]).passed
    wanted = result_values(workload, results[0].images.vram)
    for fill, result in zip(fills, results, strict=True):
        assert result.status == "stopped"
        np.testing.assert_array_equal(result_values(workload, result.images.vram), wanted, err_msg=fill)


@pytest.mark.parametrize("kernel", ["plain_attention", "plain_attention_element_offsets"])
def test_the_plain_form_of_compilers(kernel: str) -> None:
    """Both column-offset forms of M_MM; O is cleared by multiplying with f0, over finite data."""
    plain = partial(make_case, "plain", ATTENTION, kernel, sigma=1.0)
    workloads = [
        build(plain(batch=2, seq=20, heads=1, head_dim=24, causal=True)),
        build(plain(batch=1, seq=9, kv_seq=21, heads=2, head_dim=12, causal=False)),
    ]
    jobs = [Job(work.words, work.images, work.limit, timeout=1_000_000) for work in workloads]
    for workload, result in zip(workloads, run(ATTENTION, jobs).jobs, strict=True):
        outcome = judge(workload, result)
        assert outcome.passed, (outcome.reasons, outcome.verdict.reasons)
