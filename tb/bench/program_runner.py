"""Run any PLENA machine-code file on raw memory images: what ``make run`` does."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plena_ref.isa.counters import Counters
from plena_ref.machine import image_files as images
from plena_ref.machine.hardware import Hardware
from plena_ref.machine.reference import Machine, StopReport
from plena_ref.machine.state import MemoryImages, Registers
from tb.bench.harness import JobResult
from tb.bench.options import REFERENCE
from tb.bench.program_options import ProgramOptions
from tb.bench.run_jobs import run_jobs
from tb.bench.unwritten import first_unwritten_read, known_words
from tb.diagnosis.provenance import UnwrittenRead

#: Memories that a program may be given, by the name of the option that carries the file.
IMAGE_OPTIONS = {"VRAM": "vram", "FPMEM": "fpmem", "INTMEM": "intmem", "HBM": "hbm"}


@dataclass(frozen=True)
class ProgramOutcome:
    """How a program ended.

    ``cycles``, ``counters`` and ``axi_violations`` are None on the reference machine; ``hbm_bytes`` is what
    to dump of HBM. With ``undrained`` the machine did not wait for what it had issued: ``images`` are
    undefined.
    """

    status: str
    cause: str | None
    pc: int
    cycles: int | None
    instructions: int
    counters: Counters | None
    registers: Registers
    images: MemoryImages
    hbm_bytes: int
    undrained: bool = False
    axi_violations: int | None = None

    @classmethod
    def of_job(cls, got: JobResult, staged: int) -> ProgramOutcome:
        """What the RTL left; ``staged`` bytes of HBM were given."""
        return cls(
            got.status,
            got.cause,
            got.pc,
            got.cycles,
            got.instructions,
            got.counters,
            got.registers,
            got.images,
            max(staged, got.hbm_high_water + 1),
            got.undrained,
            got.protocol_errors,
        )

    @classmethod
    def of_machine(cls, machine: Machine, report: StopReport, staged: int) -> ProgramOutcome:
        """What the reference machine left; ``staged`` bytes of HBM were given."""
        return cls(
            report.status,
            report.cause,
            report.pc,
            None,
            report.instructions,
            None,
            report.registers,
            machine.images,
            max(staged, machine.hbm_high_water + 1),
        )

    def to_json(self) -> dict[str, object]:
        """The contents of ``stats.json`` (docs/result.md)."""
        return {
            "schema": images.STATS_SCHEMA,
            "status": self.status,
            "cause": self.cause,
            "undrained": self.undrained,
            "pc": self.pc,
            "cycles": self.cycles,
            "instructions": self.instructions,
            "axi_violations": self.axi_violations,
            "counters": None if self.counters is None else self.counters.to_json(),
            "registers": dataclasses.asdict(self.registers),
        }


def run_program(
    hw: Hardware,
    words: Sequence[int],
    image_files: Mapping[str, Path],
    how: ProgramOptions,
    folder: Path | None = None,
) -> ProgramOutcome:
    """Run ``words`` on memories that are zero but for the given images.

    Args:
        hw: machine shape.
        words: machine code.
        image_files: files by memory name (the values of ``IMAGE_OPTIONS``).
        how: where and how.
        folder: where a simulation leaves its files; None makes a folder that is removed afterwards.

    Raises:
        InstructionLimitError: the reference machine gave up.
        ImageError: an image is missing or does not fit.
        SimulatorMissing, SimulationError: see tb/engine/simulate.py.
    """
    memories, staged = _staged(hw, image_files)
    if how.run.sim == REFERENCE:
        return _on_reference(hw, words, memories, staged, how.max_instructions)
    run = run_jobs(hw, [how.job(words, memories)], how.run, folder)
    return ProgramOutcome.of_job(run.jobs[0], staged)


def unwritten_read(
    hw: Hardware, words: Sequence[int], image_files: Mapping[str, Path]
) -> UnwrittenRead | None:
    """The first read of a word that neither an image nor the program wrote; see tb/bench/unwritten.py.

    Raises:
        ImageError: an image is missing or does not fit.
    """
    memories, sizes = MemoryImages.zeros(hw), {}
    for memory, path in image_files.items():
        sizes[memory] = images.read_into(memories, memory, path) // getattr(memories, memory).itemsize
    return first_unwritten_read(hw, words, memories, known_words(hw, sizes))


def _staged(hw: Hardware, image_files: Mapping[str, Path]) -> tuple[MemoryImages, int]:
    """Memories with the given images in them, and how many bytes of HBM were given."""
    memories = MemoryImages.zeros(hw)
    sizes = {memory: images.read_into(memories, memory, path) for memory, path in image_files.items()}
    return memories, sizes.get("hbm", 0)


def _on_reference(
    hw: Hardware, words: Sequence[int], memories: MemoryImages, staged: int, max_instructions: int | None
) -> ProgramOutcome:
    """Run on the reference machine; ``staged`` bytes of HBM were given."""
    machine = Machine(hw, memories)
    report = machine.run(words, max_instructions=max_instructions)
    return ProgramOutcome.of_machine(machine, report, staged)
