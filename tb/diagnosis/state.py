"""Where the state that a run left differs from the state that it should have left: words and registers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.numerics import bf16_to_f32
from plena_ref.machine.state import MemoryImages, Registers
from plena_ref.verdict.memory import MEMORIES, differing, register_differences

Addresses = NDArray[np.int64]


class Left(Protocol):
    """What a run left; the attributes are those of `tb.bench.job.JobResult`."""

    @property
    def status(self) -> str:
        """How it ended."""

    @property
    def cause(self) -> str | None:
        """The trap, if it was one."""

    @property
    def pc(self) -> int:
        """Of the next instruction."""

    @property
    def instructions(self) -> int:
        """Completed instructions."""

    @property
    def registers(self) -> Registers:
        """Architectural registers."""

    @property
    def images(self) -> MemoryImages:
        """All memories, whole."""


@dataclass(frozen=True)
class StateDifference:
    """What is wrong in a state.

    Attributes:
        memories: the words that differ, of the memories in which any does.
        registers: each register that differs, in a line.
    """

    memories: dict[str, Addresses] = field(default_factory=dict)
    registers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.memories or self.registers)

    @property
    def words(self) -> int:
        """Words that differ."""
        return sum(len(addresses) for addresses in self.memories.values())


def state_difference(got: Left, images: MemoryImages, registers: Registers) -> StateDifference:
    """Compare what a run left with what it should have left."""
    found = {memory: differing(getattr(got.images, memory), getattr(images, memory)) for memory in MEMORIES}
    return StateDifference(
        {memory: addresses for memory, addresses in found.items() if addresses.size},
        tuple(register_differences(got.registers, registers)),
    )


def shown(memory: str, word: int) -> str:
    """A word of a memory as bits and, where it is bf16, as a number."""
    if memory in ("intmem", "hbm"):
        return f"0x{word:0{8 if memory == 'intmem' else 2}X}"
    return f"0x{word:04X} ({float(bf16_to_f32(np.array([word], np.uint16))[0]):.6g})"
