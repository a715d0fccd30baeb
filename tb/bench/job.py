"""One program run of the system bench: what is asked of it, and what it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from plena_ref.isa.counters import Counters
from plena_ref.isa.csr import DRAIN_LIMIT_RESET
from plena_ref.machine.state import MemoryImages, Registers

#: Cycles from a memory request to its answer when nobody says otherwise.
DEFAULT_LATENCY = 100
#: Beats of 64 bytes a cycle, in each direction, when nobody says otherwise.
FULL_RATE = Fraction(1)
#: The largest denominator of a rate.
RATE_CYCLES_MAX = 255


#: What the bench counts beside the core: instruction lines that came, cycles in which a burst of data was
#: unanswered, cycles in which VRAM withheld a write.
OBSERVED = (
    "fetch_lines",
    "open_cycles",
    "matrix_write_refused",
    "vector_write_refused",
    "hbm_write_refused",
)

#: Channels of the memory that may die, in the order of axi_memory's codes from 1.
CHANNELS = ("ar", "r", "aw", "w", "b")


@dataclass(frozen=True)
class Stall:
    """A channel of the memory that dies.

    Attributes:
        channel: one of ``CHANNELS``.
        after: transfers on it that still take place from the beginning of the job on.
        lose: what R or B does not answer is lost for good, the writes too; else it comes as soon as a later
            job has no such stall.
    """

    channel: str
    after: int
    lose: bool = False


@dataclass(frozen=True)
class Job:
    """One program run.

    Attributes:
        words: machine code, one 32-bit word an instruction.
        images: memories before the run; None keeps what the previous job left in the machine.
        keep_hbm: HBM keeps what the previous job left: of ``images`` the others are loaded, and of HBM comes
            back what the program wrote. It goes with ``reset``, since when that is counted.
        limit: HBM limit register in bytes; None means all of HBM.
        latency: cycles from a memory request to its answer.
        jitter: chance in 256 that a memory channel pauses in a cycle.
        seed: seed of those pauses. It takes effect with ``reset``.
        beats: bandwidth of the memory, in beats of 64 bytes a cycle in each direction; at most 1.
        error_range: HBM byte range [low, high) whose accesses answer with a bus error.
        watchdog: cycles after which the machine itself stops; 0 for never.
        reset: reset the machine before the run.
        resume_pc: continue there with CTRL.RESUME instead of starting at pc 0.
        program_base: HBM byte address of the program; None means just above HBM's data.
        length: value of the length register; None means ``len(words)``.
        trace: record the retired instructions.
        activity: record what the core does in each cycle, 24 bytes for each.
        timeout: cycles after which the bench gives up (status "hang").
        drain_limit: cycles that a drain may take once the watchdog has expired.
        stall: a channel of the memory that dies.
        abort_first: abort whatever the machine does before anything else, and wait for its late writes.
        abort_at: cycles after the start at which the host aborts; 0 for never.
    """

    words: Sequence[int]
    images: MemoryImages | None
    limit: int | None = None
    latency: int = DEFAULT_LATENCY
    jitter: int = 0
    seed: int = 1
    error_range: tuple[int, int] | None = None
    watchdog: int = 0
    reset: bool = True
    resume_pc: int | None = None
    program_base: int | None = None
    length: int | None = None
    trace: bool = False
    timeout: int = 100_000_000
    drain_limit: int = DRAIN_LIMIT_RESET
    stall: Stall | None = None
    abort_first: bool = False
    abort_at: int = 0
    keep_hbm: bool = False
    beats: Fraction = FULL_RATE
    activity: bool = False


@dataclass(frozen=True)
class JobResult:
    """What a program left behind.

    Attributes:
        status: "stopped", "trap", "aborted" by the host, "refused" when the machine did not start, or "hang"
            when the bench gave up.
        cause: name of the trap, or None.
        pc: pc of the stop or of the trap's culprit.
        cycles: cycles from start to stop, drain included.
        instructions: completed instructions.
        counters: performance counters.
        bus_beats: data beats read from and written to HBM, as counted on the bus by the bench.
        observed: what else the bench counted while the program ran, by the names in ``OBSERVED``.
        registers: architectural registers.
        images: all memories, whole; with ``keep_hbm`` an HBM of no bytes.
        hbm_written: with ``keep_hbm`` the bytes from the lowest to the highest that the machine wrote, and
            the address of the first; else None.
        hbm_high_water: highest HBM byte address written since reset, or -1.
        control: every control register word by byte offset.
        trace: retired instructions as uint32[n, 3] of (pc, word, cycle), or None when not asked for.
        activity: uint32[cycles + 1, 6] as docs/bench.md has `activity.out`, or None when not asked for.
        protocol_errors: violations that the AXI checker counted.
        seconds: wall-clock time from start to stop.
        undrained: the machine did not wait for its drain; memories are undefined.
    """

    status: str
    cause: str | None
    pc: int
    cycles: int
    instructions: int
    counters: Counters
    bus_beats: tuple[int, int]
    observed: dict[str, int]
    registers: Registers
    images: MemoryImages
    hbm_high_water: int
    control: dict[int, int]
    trace: NDArray[np.uint32] | None
    protocol_errors: int
    seconds: float
    undrained: bool = False
    hbm_written: tuple[int, NDArray[np.uint8]] | None = None
    activity: NDArray[np.uint32] | None = None
