"""The options of a run whose program comes in a file: `make run`, and build directories of PLENA's tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plena_ref.isa.csr import DRAIN_LIMIT_RESET
from plena_ref.machine.state import MemoryImages
from tb.bench import options
from tb.bench.job import Job


@dataclass(frozen=True)
class ProgramOptions:
    """How a program runs; the attributes are named after their keys.

    Attributes:
        run: where, and on what kind of memory.
        seed, watchdog, drain_limit: see :class:`tb.bench.job.Job`; not for the reference machine.
        max_instructions: after which the reference machine gives up; None: never.
        unwritten: look for a read of a word that nobody wrote, on the reference machine.
    """

    run: options.RunOptions
    seed: int
    watchdog: int
    drain_limit: int
    max_instructions: int | None
    unwritten: bool

    def job(self, words: Sequence[int], images: MemoryImages, limit: int | None = None) -> Job:
        """A program as these options run it; ``limit``: HBM bytes that belong to data, or all."""
        timing = (self.run.latency, self.run.jitter, self.seed)
        return Job(
            words,
            images,
            limit,
            *timing,
            watchdog=self.watchdog,
            drain_limit=self.drain_limit,
            beats=self.run.beats,
        )


def take(given: dict[str, str]) -> ProgramOptions:
    """Remove the keys of :class:`ProgramOptions` and return their values, or their defaults.

    Raises:
        UsageError: a number is none or lies outside of its range, or an option means nothing to the machine.
    """
    options.refuse_what_has_no_meaning(given)
    return ProgramOptions(
        options.take_run_options(given),
        options.take_integer(given, "SEED", 1, 0, 2**32 - 1),
        options.take_integer(given, "WATCHDOG", 0, 0, 2**63),
        options.take_integer(given, "DRAIN_LIMIT", DRAIN_LIMIT_RESET, 0, 2**32 - 1),
        options.take_integer(given, "MAX_INSTRUCTIONS", 0, 1, 2**63) or None,
        bool(options.take_integer(given, "UNWRITTEN", 0, 0, 1)),
    )
