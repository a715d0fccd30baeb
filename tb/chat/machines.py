"""The machines that run passes: the reference machine, and the RTL in a session, compared after each pass."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.language_model import ModelWeights
from plena_ref.kernels.language_model.decoder_layers import DecoderLayers, PassShape
from plena_ref.kernels.language_model.model_memory import ModelMemory
from plena_ref.kernels.language_model.model_pass import ModelPass
from plena_ref.kernels.program import Program
from plena_ref.machine.reference import Machine, StopReport
from plena_ref.machine.state import MemoryImages
from plena_ref.models.staging import read_logits, stage_constants, stage_pass
from plena_ref.verdict.memory import memory_difference, register_differences
from plena_ref.verdict.stages import StageVerdict, StageWatch
from plena_ref.workloads.model_stages import ModelStages
from tb.bench.job import Job, JobResult
from tb.bench.session import Progress, Session

F64 = NDArray[np.float64]

#: Memories that are compared whole after every pass.
ON_CHIP = ("vram", "msram", "fpmem", "intmem")


@dataclass(frozen=True)
class Pass:
    """One pass, ready to run.

    Attributes:
        shape: how many tokens, and where.
        words: its program.
        layers: what wrote it, with its steps.
        marks: where each step begins.
    """

    shape: PassShape
    words: list[int]
    layers: DecoderLayers
    marks: Sequence[tuple[int, str]]


def make_pass(memory: ModelMemory, rows: int, position: int) -> Pass:
    """Write the program of a pass; it depends on no token.

    Raises:
        RuleError: it does not fit the machine.
    """
    shape = PassShape(rows, position)
    program = Program(memory.hw, f"{rows} tokens from position {position} on")
    whole = ModelPass(memory, shape)
    whole.emit(program)
    return Pass(shape, program.finish()[0], whole.layers, program.marks)


def first_images(memory: ModelMemory, weights: ModelWeights, image: NDArray[np.uint8]) -> MemoryImages:
    """Memories before the first pass: poison but for what is staged."""
    images = MemoryImages.poisoned(memory.hw)
    images.hbm[: len(image)] = image
    stage_constants(memory, weights, images)
    return images


class Reference:
    """The reference machine.

    Args:
        memory: where everything lies.
        images: memories before the first pass; they change.
        weights: as the machine reads them, to judge every stage; None: no stage is judged.

    Attributes:
        stages: the verdict on each stage of the last pass.
    """

    def __init__(
        self, memory: ModelMemory, images: MemoryImages, weights: ModelWeights | None = None
    ) -> None:
        self.memory, self.images, self.weights = memory, images, weights
        self._machine = Machine(memory.hw, images, memory.limit)
        self.stages: list[StageVerdict] = []

    def run(self, made: Pass, tokens: Sequence[int]) -> StopReport:
        """Run a pass."""
        stage_pass(self.memory, tokens, made.shape.position, self.images)
        if self.weights is None:
            return self._machine.run(made.words)
        plan = ModelStages(self.memory, made.layers, self.weights).plan(made.marks)
        watch = StageWatch(plan, self.images)
        report = self._machine.run(made.words, watch=watch)
        self.stages = watch.verdicts
        return report

    def logits(self, rows: int) -> F64:
        """What the last pass left, rows x vocabulary."""
        return read_logits(self.memory, self.images.vram, rows)

    def take_written(self) -> tuple[int, int]:
        """HBM bytes first..stop-1 hold all that was written since the last call; both 0 for none."""
        written = self._machine.written.hbm
        first = int(written.argmax())
        if not written[first]:
            return 0, 0
        stop = self._machine.hbm_high_water + 1
        stop = first + int(np.flatnonzero(written[first:stop])[-1]) + 1
        written[first:stop] = False
        return first, stop


class Rtl:
    """The RTL in a running session, a pass at a time in a thread of its own.

    Args:
        memory: where everything lies.
        images: memories before the first pass.
        session: where it runs.
        traced: results have the trace of retired instructions, and what the core did in each cycle.
    """

    def __init__(
        self, memory: ModelMemory, images: MemoryImages, session: Session, traced: bool = False
    ) -> None:
        self.memory, self._session, self._traced = memory, session, traced
        self._images, self._kept = replace(images, vram=images.vram.copy(), fpmem=images.fpmem.copy()), False
        self._images = replace(self._images, msram=images.msram.copy(), intmem=images.intmem.copy())
        self._thread = ThreadPoolExecutor(max_workers=1)

    def start(self, made: Pass, tokens: Sequence[int], progress: Progress) -> Future[JobResult]:
        """Begin a pass; HBM is loaded for the first one only."""
        stage_pass(self.memory, tokens, made.shape.position, self._images)
        job = Job(made.words, self._images, self.memory.limit, keep_hbm=self._kept)
        job = replace(job, trace=self._traced, activity=self._traced)
        self._kept = True
        return self._thread.submit(self._session.run, job, progress)

    def end(self, result: JobResult) -> None:
        """Take over what a pass left: the next one starts from it."""
        self._images = result.images

    def whole_hbm(self) -> NDArray[np.uint8]:
        """All of HBM, by a program of no instructions."""
        return self._session.run(Job([], None, self.memory.limit)).images.hbm


def differences(memory: ModelMemory, got: JobResult, report: StopReport, reference: Reference) -> list[str]:
    """What the RTL and the reference machine do not agree on after a pass."""
    found = []
    ended = [(end.status, end.cause, end.pc, end.instructions) for end in (got, report)]
    if ended[0] != ended[1] or got.status != "stopped":
        found.append(f"ended with {ended[0]}, the reference machine with {ended[1]}")
    if got.protocol_errors:
        found.append(f"{got.protocol_errors} violations of the AXI protocol")
    for name in ON_CHIP:
        mine, theirs = getattr(got.images, name), getattr(reference.images, name)
        found += filter(None, [memory_difference(memory.hw, name, mine, theirs, theirs)])
    found += register_differences(got.registers, report.registers)
    first, stop = reference.take_written()
    if got.hbm_written is None:
        return found
    low, written = got.hbm_written
    if stop and not low <= first <= stop <= low + len(written):
        found.append(f"HBM bytes {first} to {stop - 1} written, by the RTL {low} to {low + len(written) - 1}")
    wrong = np.flatnonzero(written != reference.images.hbm[low : low + len(written)])
    if wrong.size:
        found.append(f"HBM byte {low + int(wrong[0])} and {wrong.size - 1} others differ")
    return found
