"""Random programs on the RTL and on the reference machine, with random latency, back-pressure and resets.

One program again: ``python -m tb.system.test_fuzz MLEN BLEN HLEN DISPATCH_WIDTH ELEMENT HBM_BF16 SEED``. More
of them: PLENA_FUZZ=1000 in the environment.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest

from plena_ref.machine.hardware import Hardware
from tb.bench import command, options
from tb.bench.harness import Job
from tb.engine import simulate
from tb.fuzz.random_programs import generate
from tb.system.equivalence import repetitions, run_both

#: MLEN, BLEN, HLEN, DISPATCH_WIDTH, ELEMENT, HBM_BF16.
Shape = tuple[int, int, int, int, str, str]
#: Shapes, first seed, programs.
SHAPES = [
    ((16, 4, 8, 2, "ocp", "none"), 10_000, 100),
    ((8, 8, 1, 2, "ocp", "none"), 20_000, 70),
    ((8, 4, 2, 1, "ocp", "none"), 30_000, 70),
    ((32, 8, 32, 2, "ocp", "none"), 40_000, 25),
    pytest.param(
        (64, 16, 16, 2, "ocp", "none"), 50_000, 15, marks=pytest.mark.not_nightly("a large machine")
    ),
    ((16, 4, 16, 2, "plena", "m1,v0"), 60_000, 40),
]


def machine(
    mlen: int, blen: int, hlen: int, dispatch_width: int, element: str = "ocp", hbm_bf16: str = "none"
) -> Hardware:
    """A machine of this shape with memories small enough to dump every time, and room for M_BMM_WO."""
    return Hardware(
        mlen,
        blen,
        hlen,
        vram_elems=max(1 << 12, mlen * (mlen // hlen * mlen + 64)),
        msram_tiles=4,
        hbm_bytes=1 << 16 if mlen < 64 else 1 << 18,
        dispatch_width=dispatch_width,
        element=element,
        hbm_bf16=hbm_bf16,
    )


def job(hw: Hardware, seed: int, first: bool) -> Job:
    """The program of a seed under the memory timing that the seed draws; the first job resets the machine."""
    program = generate(hw, seed, 300)
    rng = np.random.default_rng([seed, 1])
    return Job(
        program.words,
        program.images,
        program.limit,
        latency=int(rng.choice([1, 2, 5, 40, 100])),
        jitter=int(rng.choice([0, 0, 30, 120])),
        seed=seed,
        reset=first or bool(rng.random() < 0.3),
        timeout=200_000,
    )


def failures(shape: Shape, first: int, count: int) -> list[str]:
    """Run the programs of seeds first..first+count-1; a line a program that differs."""
    hw = machine(*shape)
    jobs = {str(seed): job(hw, seed, seed == first) for seed in range(first, first + count)}
    found = []
    for seed, pair in run_both(hw, jobs).items():
        if pair.differences:
            again = f"python -m tb.system.test_fuzz {' '.join(map(str, shape))} {seed}"
            found.append(f"seed {seed}: {'; '.join(pair.differences)}\n    {again}")
    return found


@pytest.mark.parametrize(("shape", "first", "count"), SHAPES, ids=lambda value: str(value))
def test_random_programs_are_bit_exact(shape: Shape, first: int, count: int) -> None:
    found = failures(shape, first, repetitions(count))
    assert not found, f"{len(found)} programs differ\n" + "\n".join(found[:5])


def main(arguments: list[str]) -> int:
    """Run one program; the exit status."""
    try:
        if len(arguments) != 7:
            raise ValueError(f"{len(arguments)} of 7 values")
        mlen, blen, hlen, width, element, hbm_bf16, seed = arguments
        shape = (int(mlen), int(blen), int(hlen), int(width), element, hbm_bf16)
        if int(seed) < 0:
            raise ValueError("SEED must not be negative")
        machine(*shape)
    except (ValueError, ZeroDivisionError) as error:
        return options.fail(f"{error}; MLEN BLEN HLEN DISPATCH_WIDTH ELEMENT HBM_BF16 SEED are wanted")
    try:
        found = failures(shape, int(seed), 1)
    except simulate.SimulationError as error:
        return options.fail(error)
    print("\n".join(found) or "bit-exact")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(command.run(main, sys.argv[1:]))
