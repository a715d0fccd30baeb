"""A program as assembly text in the place of the one that a kernel wrote: ``make sim ASM=edited.lst``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from plena_ref.isa.assembler import AssemblyError, assemble
from plena_ref.isa.text_file import TextError, read_text
from plena_ref.workloads.base import Workload
from tb.bench.options import UsageError


@dataclass(frozen=True)
class Assembly:
    """A program: its text and its words."""

    text: str
    words: list[int]

    def put_into(self, workload: Workload) -> Workload:
        """The workload with this program: data, golden and bounds stay.

        Stages are judged where the program is as long as the kernel's: they begin at numbers of instructions.
        """
        same = len(self.words) == len(workload.words)
        return dataclasses.replace(
            workload,
            words=self.words,
            listing=self.text,
            sources=workload.sources if self.words == workload.words else (),
            stages=workload.stages if same else None,
        )


def read(path: str) -> Assembly:
    """The program in a file.

    Raises:
        UsageError: it cannot be read or assembled, or holds no instruction; the message names file and line.
    """
    try:
        text = read_text(Path(path))
        words = assemble(text, path)
    except (AssemblyError, TextError) as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"ASM={path}: {error.strerror}") from None
    if not words:
        raise UsageError(f"ASM={path} holds no instruction")
    return Assembly(text, words)
