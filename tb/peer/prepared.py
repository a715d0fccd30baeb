"""A program of PLENA's tools made ready to run: machine, memories before the run, stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plena_ref.isa.disassembler import disassemble
from plena_ref.machine.state import MemoryImages, Registers
from tb.bench.job_files import PROGRAM_BYTES
from tb.peer.directory import BEAT, Preload
from tb.peer.shape import Shape
from tb.peer.stages import Stages
from tb.peer.trap_advice import advice


@dataclass(frozen=True)
class Prepared:
    """A program and what it runs on.

    Attributes:
        words: the program.
        preload: what is put into the memories; the rest of each is zero.
        shape: the machine.
        stages: names of the program's stages; None where there is no assembly text that fits it.
    """

    words: Sequence[int]
    preload: Preload
    shape: Shape
    stages: Stages | None

    def images(self) -> MemoryImages:
        """The memories before the run.

        Raises:
            PeerError: a file does not fit its memory.
        """
        images = MemoryImages.zeros(self.shape.hardware)
        self.preload.put_into(images)
        return images

    @property
    def program_base(self) -> int | None:
        """HBM byte of a program too large for its usual place: behind the data; else None."""
        if 4 * len(self.words) <= PROGRAM_BYTES:
            return None
        return -(-self.shape.limit // BEAT) * BEAT

    def place(self, pc: int) -> str:
        """An instruction for people: its pc, text, and stage where it is known."""
        text = disassemble(self.words[pc]) if pc < len(self.words) else "end of the program"
        if self.stages is None:
            return f"pc {pc}: {text}"
        line = f", line {self.stages.lines[pc]} of {self.stages.path.name}" if pc < len(self.words) else ""
        return f"pc {pc}: {text} (stage '{self.stages.of(pc)}'{line})"

    def trap(self, cause: str, pc: int, registers: Registers) -> str:
        """A trap in a line: cause, instruction, stage, and what docs/isa.md asks for."""
        word = self.words[pc] if pc < len(self.words) else None
        text = advice(cause, word, registers, self.shape.hardware, self.shape.raise_with)
        return f"trap {cause} at {self.place(pc)}" + (f": {text}" if text else "")


def fitting(stages: Stages, words: Sequence[int]) -> Stages | None:
    """The stages, if the text has as many instructions as the program; else None."""
    return stages if len(stages.names) == len(words) else None
