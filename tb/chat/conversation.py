"""One prompt and its answer: passes on the RTL with the reference machine and the judge beside it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plena_ref.golden.language_model import ModelWeights
from plena_ref.kernels.language_model.model_memory import ModelMemory
from plena_ref.machine.state import MemoryImages
from plena_ref.models.staging import read_logits
from plena_ref.models.tokenizer import Tokenizer
from plena_ref.verdict.stages import StageVerdict, first_wrong
from tb.bench import timeline
from tb.bench.job import JobResult
from tb.bench.session import Session
from tb.chat import pass_timeline
from tb.chat.judge import Judge, StepVerdict
from tb.chat.machines import Pass, Reference, Rtl, differences, first_images, make_pass
from tb.chat.progress import ProgressLine
from tb.chat.settings import CHUNK, Settings
from tb.engine import paths

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to answer.

    Attributes:
        memory: where everything lies.
        image: its bytes in HBM.
        tokenizer: text to ids and back.
        quantised, original: the weights that the machine reads, and those of the file.
    """

    memory: ModelMemory
    image: NDArray[np.uint8]
    tokenizer: Tokenizer
    quantised: ModelWeights
    original: ModelWeights


@dataclass(frozen=True)
class Step:
    """A pass that has run.

    Attributes:
        tokens: how many went in.
        token: the one that came out; None before the end of the prompt.
        cycles: on the RTL; None without it.
        instructions: completed.
        seconds: wall clock of the RTL, or of the reference machine without it.
        differences: where the RTL is not the reference machine.
        verdict: what the float64 models say.
        stages: each stage of the pass, judged from what it read.
    """

    tokens: int
    token: int | None
    cycles: int | None
    instructions: int
    seconds: float
    differences: tuple[str, ...]
    verdict: StepVerdict
    stages: tuple[StageVerdict, ...]

    @property
    def wrong_stage(self) -> StageVerdict | None:
        """The first stage that is not what it should have made of what it read."""
        return first_wrong(self.stages)

    @property
    def passed(self) -> bool:
        """Bit-exact, every stage right, and the logits as accurate as predicted."""
        return not self.differences and self.wrong_stage is None and self.verdict.passed


@dataclass(frozen=True)
class Outcome:
    """An answer.

    Attributes:
        text: what was answered.
        steps: the passes.
        hbm_equal: all of HBM is the reference machine's at the end; None without the RTL.
        seconds: wall clock of the whole answer.
    """

    text: str
    steps: tuple[Step, ...]
    hbm_equal: bool | None
    seconds: float

    @property
    def passed(self) -> bool:
        """Every pass passes, and so does HBM at the end."""
        return self.hbm_equal is not False and all(step.passed for step in self.steps)


def choose(logits: F64, temperature: float, rng: np.random.Generator) -> int:
    """The next token: the best one, or one drawn by the softmax of logits/temperature."""
    if temperature == 0:
        return int(logits.argmax())
    weights = np.exp((logits - logits.max()) / temperature)
    return int(rng.choice(len(weights), p=weights / weights.sum()))


class Conversation:
    """Answers one prompt.

    Args:
        loaded: the model.
        settings: how to run it.
        ids: token ids of the prompt.
        say: takes the text of the answer as it comes.
    """

    def __init__(
        self, loaded: Loaded, settings: Settings, ids: list[int], say: Callable[[str], None]
    ) -> None:
        self.loaded, self.settings, self.ids, self.say = loaded, settings, ids, say
        self.memory = loaded.memory
        beats = loaded.memory.weights.count * loaded.memory.weights.tile_bytes // 64
        self.progress = ProgressLine(beats)

    def run(self) -> Outcome:
        """Answer the prompt.

        Raises:
            SimulatorMissing, SimulationError: the RTL cannot run.
        """
        started = time.monotonic()
        loaded = self.loaded
        images = first_images(self.memory, loaded.quantised, loaded.image)
        self.judge = Judge(loaded.quantised, loaded.original, self.memory.hw.hbm_format("v", 0))
        self.reference = Reference(self.memory, images, loaded.quantised)
        hbm_equal = None
        with self._rtl(images) as rtl:
            steps = tuple(self._steps(rtl))
            if rtl is not None:
                hbm_equal = bool(np.array_equal(rtl.whole_hbm(), images.hbm))
        answer = [step.token for step in steps if step.token is not None]
        return Outcome(loaded.tokenizer.decode(answer), steps, hbm_equal, time.monotonic() - started)

    @contextlib.contextmanager
    def _rtl(self, images: MemoryImages) -> Iterator[Rtl | None]:
        if not self.settings.on_rtl:
            yield None
            return
        with Session(self.memory.hw, self.settings.simulator) as session:
            yield Rtl(self.memory, images, session, self.settings.traced)

    def _steps(self, rtl: Rtl | None) -> Iterator[Step]:
        """The passes: the prompt in chunks, then a token each until the answer ends."""
        settings, tokenizer = self.settings, self.loaded.tokenizer
        rng = np.random.default_rng(settings.seed)
        answer: list[int] = []
        said = ""
        chunks = [self.ids[n : n + CHUNK] for n in range(0, len(self.ids), CHUNK)]
        position, made = 0, make_pass(self.memory, len(chunks[0]), 0)
        while chunks:
            tokens = chunks.pop(0)
            position += len(tokens)
            last = not chunks
            more = not last or len(answer) + 1 < settings.tokens
            following = len(chunks[0]) if chunks else 1
            self.progress.name = f"token {len(answer) + 1} of at most {settings.tokens}"
            if not last:
                self.progress.name = f"prompt, {position} of {len(self.ids)} tokens"
            ready = (following, position) if more else None
            step, logits, made = self._pass(rtl, made, tokens, ready)
            if last:
                token = choose(logits, settings.temperature, rng)
                answer.append(token)
                step = replace(step, token=token)
                text = tokenizer.decode(answer)
                if not text.endswith("\ufffd"):
                    self.say(text[len(said) :])
                    said = text
                if token != tokenizer.end and len(answer) < settings.tokens:
                    chunks = [[token]]
            yield step

    def _pass(
        self, rtl: Rtl | None, made: Pass, tokens: list[int], following: tuple[int, int] | None
    ) -> tuple[Step, F64, Pass]:
        """Run and judge a pass; while the RTL runs, write the program of the following one."""
        running: Future[JobResult] | None = None
        if rtl is not None:
            running = rtl.start(made, tokens, self.progress.at)
        started = time.monotonic()
        report = self.reference.run(made, tokens)
        seconds = time.monotonic() - started
        logits = self.reference.logits(len(tokens))
        expected = self.judge.expect(tokens)
        next_made = made if following is None else make_pass(self.memory, *following)
        cycles, wrong = None, []
        if rtl is not None and running is not None:
            got = running.result()
            rtl.end(got)
            cycles, seconds = got.cycles, got.seconds
            if got.trace is not None and got.activity is not None:
                self._leave_timeline(made, got.trace, got.activity)
            self.progress.end(cycles)
            wrong = differences(self.memory, got, report, self.reference)
            logits = read_logits(self.memory, got.images.vram, len(tokens))
        elif report.status != "stopped":
            wrong = [f"the reference machine ended with {report.status} {report.cause} at pc {report.pc}"]
        verdict = expected.judge(logits)
        stages = tuple(self.reference.stages)
        step = Step(len(tokens), None, cycles, report.instructions, seconds, tuple(wrong), verdict, stages)
        return step, logits[-1], next_made

    def _leave_timeline(self, made: Pass, trace: NDArray[np.uint32], activity: NDArray[np.uint32]) -> None:
        """Write the timeline of a pass, and say where."""
        folder = paths.BUILD / "runs" / "chat"
        folder.mkdir(parents=True, exist_ok=True)
        rows = made.shape.rows
        path = folder / f"position{made.shape.position:03}_tokens{rows:02}{timeline.SUFFIX}"
        pass_timeline.write(path, self.memory.hw, trace, activity, made.marks)
        print(f"timeline: {os.path.relpath(path)}", file=sys.stderr)
