"""RTL against reference machine: run the same jobs on both and name every difference.

The system tests share this module and the machine shapes in it, so that few models are built.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine, StopReport
from plena_ref.machine.state import MemoryImages, Registers
from tb.bench import harness
from tb.bench.harness import Job, JobResult
from tb.engine import registry, simulate
from tb.fuzz.memories import random_bf16

#: The machine of the directed tests: four mini-arrays, two lanes, memories small enough to dump often.
DIRECTED = Hardware(16, 4, 8, vram_elems=1 << 12, msram_tiles=4, hbm_bytes=1 << 16)

#: HBM byte of that machine from which the images of `random_images` hold scales.
SCALES = DIRECTED.hbm_bytes * 3 // 4

MEMORIES = tuple(memory.name for memory in fields(MemoryImages))

#: Completed instructions after which the reference machine gives up on a program.
REFERENCE_BUDGET = 2_000_000

#: Cycles after which the bench gives up on a directed program.
BENCH_BUDGET = 50_000


@dataclass(frozen=True)
class Pair:
    """One job on both machines.

    Attributes:
        got: what the RTL left.
        report: how the reference machine stopped.
        images: a copy of the reference machine's memories after the job.
    """

    got: JobResult
    report: StopReport
    images: MemoryImages

    @property
    def differences(self) -> list[str]:
        """One line for each thing that differs; empty when the job is bit-exact."""
        got, report = self.got, self.report
        found = []
        ends = [(end.status, end.cause, end.pc, end.instructions) for end in (got, report)]
        if ends[0] != ends[1]:
            found.append(f"end {ends[0]}, reference {ends[1]} (status, cause, pc, instructions)")
        found += memory_differences(got.images, self.images)
        found += register_differences(got.registers, report.registers)
        if got.protocol_errors:
            found.append(f"{got.protocol_errors} violations of the AXI protocol")
        return found


def memory_differences(got: MemoryImages, reference: MemoryImages) -> list[str]:
    """One line a memory that differs: how many words, the first one, and both values there."""
    found = []
    for memory in MEMORIES:
        left, right = getattr(got, memory), getattr(reference, memory)
        where = np.flatnonzero(left != right)
        if where.size:
            at = int(where[0])
            found.append(
                f"{memory}: {where.size} words, first [{at}] = {left[at]:#x}, reference {right[at]:#x}"
            )
    return found


def register_differences(got: Registers, reference: Registers) -> list[str]:
    """One line a register file or control register that differs."""
    return [
        f"{register.name} = {getattr(got, register.name)}, reference {getattr(reference, register.name)}"
        for register in fields(Registers)
        if getattr(got, register.name) != getattr(reference, register.name)
    ]


def run_both(hw: Hardware, jobs: Mapping[str, Job], simulator: str | None = None) -> dict[str, Pair]:
    """Run named jobs in one simulation and on the reference machine.

    A job without images goes on with the memories that the job before it left, on both sides.
    """
    simulate.require(simulator or simulate.default_simulator())
    results = harness.run(hw, list(jobs.values()), simulator).jobs
    pairs: dict[str, Pair] = {}
    machine: Machine | None = None
    for (name, job), got in zip(jobs.items(), results, strict=True):
        if job.images is not None:
            machine = Machine(hw, job.images.copy(), job.limit)
        assert machine is not None
        resume = job.resume_pc is not None
        words = list(job.words)[: job.length]
        report = machine.run(words, job.resume_pc or 0, REFERENCE_BUDGET, resume=resume)
        pairs[name] = Pair(got, report, machine.images.copy())
    return pairs


def check(hw: Hardware, jobs: Mapping[str, Job], simulator: str | None = None) -> dict[str, Pair]:
    """:func:`run_both`, and fail with every difference of every job unless all of them are bit-exact."""
    __tracebackhide__ = True
    pairs = run_both(hw, jobs, simulator)
    failures = [f"{name}: {line}" for name, pair in pairs.items() for line in pair.differences]
    assert not failures, f"{len(failures)} differences\n" + "\n".join(failures[:20])
    return pairs


def bounded(
    words: Sequence[int],
    images: MemoryImages | None,
    limit: int | None = None,
    **settings: Any,  # Any: attributes of Job by name
) -> Job:
    """A :class:`Job` on which the bench gives up early: directed programs are short."""
    return Job(words, images, limit, **{"timeout": BENCH_BUDGET, **settings})


def random_images(hw: Hardware, seed: int, special_share: float = 0.01) -> MemoryImages:
    """Memories full of random data: bf16 values with some special patterns, MX bytes with moderate scales.

    HBM bytes below three quarters are elements without NaN, the bytes behind are scales of 2^-7 to 2^0; the
    last byte is zero, so that the file of an image stays as long as its data.
    """
    rng = np.random.default_rng(seed)
    images = MemoryImages.zeros(hw)
    for memory in ("vram", "msram", "fpmem"):
        image = getattr(images, memory)
        image[:] = random_bf16(rng, image.size, special_share)
    images.intmem[:] = rng.integers(0, 1 << 32, hw.int_words, dtype=np.uint32)
    scales = hw.hbm_bytes * 3 // 4
    signs = rng.integers(0, 2, scales, dtype=np.uint8) << np.uint8(7)
    images.hbm[:scales] = rng.integers(0, 0x7F, scales, dtype=np.uint8) | signs
    images.hbm[scales:-1] = rng.integers(0x78, 0x80, hw.hbm_bytes - scales - 1, dtype=np.uint8)
    return images


def repetitions(default: int, further: int | None = None) -> int:
    """How many random programs a test runs: `default`, or what the environment variable PLENA_FUZZ says.

    Args:
        default: on the default simulator.
        further: on the further ones, which are slower; None: as many.
    """
    first = simulate.default_simulator() == next(iter(registry.SIMULATORS))
    return int(os.environ.get("PLENA_FUZZ") or (default if first or further is None else further))
