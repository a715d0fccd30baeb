"""Random programs with random memories: what the RTL and the reference machine are compared on.

A program mixes every instruction over a few VRAM rows, tiles, f registers and memory words, so that all
units keep reading and writing the same places. Addresses are valid by construction: the generator knows the
value of every register it uses as an address. Hardware loops nest, share counters and leave early; rows are
stepped through with registers that a loop body advances. A program ends normally, or in one trap of a chosen
cause, or in words drawn at random.

What docs/isa.md leaves undefined is never generated: a store whose own bytes overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plena_ref.isa.instructions import TrapCause
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.state import MemoryImages
from tb.fuzz.blocks import Program
from tb.fuzz.memories import random_images

#: Causes a program can be made to end in; the rest come from buses and time.
PROGRAM_CAUSES = tuple(
    cause for cause in TrapCause if cause not in (TrapCause.FETCH_ERROR, TrapCause.WATCHDOG)
)


@dataclass(frozen=True)
class RandomProgram:
    """A program, the memories it starts from, and what is known about its end.

    Attributes:
        words: machine code.
        images: memories; the caller copies them before a run that must not change them.
        limit: HBM limit in bytes; nothing at or past it is touched.
        cause: the trap it ends in, or None for a normal stop; meaningless when `wild`.
        wild: the program ends in random words, with any outcome.
    """

    words: list[int]
    images: MemoryImages
    limit: int
    cause: TrapCause | None
    wild: bool


def generate(
    hw: Hardware,
    seed: int,
    length: int = 300,
    *,
    cause: TrapCause | None = None,
    trap_probability: float = 0.2,
    wild_probability: float = 0.05,
) -> RandomProgram:
    """Make the program of `seed` for machine `hw`.

    Args:
        hw: the machine. HBM beyond the program's limit (about 4*MLEN*MLEN bytes) stays zero and free.
        seed: same seed, same program.
        length: instructions it executes, roughly.
        cause: end in this trap; otherwise one is drawn with `trap_probability`.
        trap_probability: share of programs that end in a trap, drawn evenly from `PROGRAM_CAUSES`.
        wild_probability: share of the others that end in random words.

    Raises:
        ValueError: `cause` is one no program can bring about, or HBM is too small for the transfers.
    """
    if cause is not None and cause not in PROGRAM_CAUSES:
        raise ValueError(f"no program brings about {cause.name} by itself")
    rng = np.random.default_rng(seed)
    limit = -(-max(4096, 4 * hw.tile_elems) // 64) * 64
    if limit > hw.hbm_bytes:
        raise ValueError(f"hbm_bytes = {hw.hbm_bytes} is too small: transfers take {limit} bytes")
    if cause is None and rng.random() < trap_probability:
        cause = PROGRAM_CAUSES[rng.integers(len(PROGRAM_CAUSES))]
    wild = cause is None and rng.random() < wild_probability
    images = random_images(hw, rng, limit)
    words = Program(hw, rng, length, limit, cause, wild).program()
    return RandomProgram(words, images, limit, cause, wild)
