"""The verdict stage by stage: each stage of a program against float64 computed from the bits that it read.

A stage is an operator, or one of its results. While the reference machine runs the program, what a stage
reads is taken from the memories when its first instruction is reached, and what it left when the next stage
begins; the golden starts from the former, so that no error is handed on and the bounds are those of one
operator. The first stage that is wrong is the one to blame. The RTL is compared with the same machine bit by
bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.state import MemoryImages

F64 = NDArray[np.float64]
#: Reads a tensor out of the memories, in float64.
Reader = Callable[[MemoryImages], F64]

#: A bound that is larger than this share of the size of what it judges says nothing.
VACUOUS = 0.25


@dataclass(frozen=True)
class Stage:
    """One result of one operator.

    Attributes:
        layer: number of the layer, or in words what else it belongs to.
        name: what it is in the layer: "attention norm", "q", ...
        operator: what made it, in words.
        inputs: what it reads.
        output: what it leaves, batch x rows x columns.
        golden: float64 from the inputs, shaped as the output.
        bound: how far each element may be from the golden, from the inputs; 0 where nothing is rounded.
        column: of the whole result, where the output is a part of it.
    """

    layer: int | str
    name: str
    operator: str
    inputs: tuple[Reader, ...]
    output: Reader
    golden: Callable[..., F64]
    bound: Callable[..., F64]
    column: int = 0


@dataclass(frozen=True)
class StageVerdict:
    """How a stage did, or all parts of one.

    Attributes:
        stage: the stage; of several parts the one that did worst.
        ratio: the largest error by its bound; at most 1 where all is right, infinite where a NaN is.
        size: root mean square of the golden.
        bound: median of the bounds; of several parts the mean of their medians.
        elements: how many were judged.
        batch, row, column: where the ratio is largest.
        golden, got: the values there.
        pcs: the instructions that made it: the first, and the one after the last.
    """

    stage: Stage
    ratio: float
    size: float
    bound: float
    batch: int
    row: int
    column: int
    golden: float
    got: float
    elements: int
    pcs: tuple[int, int] | None = None

    def joined(self, other: StageVerdict) -> StageVerdict:
        """The verdict on this part and another of the same stage."""
        worst = other if other.ratio > self.ratio else self
        count = self.elements + other.elements
        squares = self.elements * self.size**2 + other.elements * other.size**2
        bounds = self.elements * self.bound + other.elements * other.bound
        return replace(worst, size=(squares / count) ** 0.5, bound=bounds / count, elements=count)

    @property
    def vacuous(self) -> bool:
        """The bound says nothing."""
        return self.bound > VACUOUS * self.size

    @property
    def passed(self) -> bool:
        """Every element is within its bound, and the bound says something."""
        return self.ratio <= 1 and not self.vacuous

    @property
    def reason(self) -> str:
        """What is wrong, and where."""
        stage = self.stage
        layer = f"layer {stage.layer}" if isinstance(stage.layer, int) else stage.layer
        where = f"{layer}, {stage.name} ({stage.operator})"
        if self.vacuous:
            return f"{where}: a bound of {self.bound:.3g} says nothing of values of {self.size:.3g}"
        made = "" if self.pcs is None else f"; pc {self.pcs[0]} to {self.pcs[1] - 1}"
        return (
            f"{where}: batch {self.batch}, row {self.row}, column {self.column} is {self.got:.6g}, "
            f"float64 of what it read {self.golden:.6g}: {self.ratio:.3g} times the bound{made}"
        )


def judge_stage(stage: Stage, inputs: Sequence[F64], got: F64) -> StageVerdict:
    """Compare what a stage left with the golden of what it read.

    Raises:
        ValueError: golden or bound are not shaped as the output.
    """
    golden, bound = (np.asarray(function(*inputs)) for function in (stage.golden, stage.bound))
    if golden.shape != got.shape or bound.shape != got.shape:
        raise ValueError(f"{stage.name}: output {got.shape}, golden {golden.shape}, bound {bound.shape}")
    error = np.abs(got - golden)
    ratio = np.divide(error, bound, out=np.where(error == 0, 0.0, np.inf), where=bound > 0)
    ratio = np.where(np.isnan(error), np.inf, ratio)
    at = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    size = float(np.sqrt(np.mean(golden**2)))
    batch, row, column = (int(i) for i in at)
    where = (batch, row, stage.column + column)
    return StageVerdict(
        stage, float(ratio[at]), size, float(np.median(bound)), *where, golden[at], got[at], golden.size
    )


@dataclass(frozen=True)
class StagePlan:
    """Where the stages of a program begin.

    Attributes:
        starts: index of the first instruction of each operator, and of the one after the last.
        passes: for each time that the operators run, the stages of each operator.
    """

    starts: Sequence[int]
    passes: Sequence[Sequence[Sequence[Stage]]]


class StageWatch:
    """Judges the stages of a program while the reference machine runs it.

    Args:
        plan: the stages.
        images: the machine's memories.

    A stage that a program makes part by part, between parts of others, is judged part by part.

    Attributes:
        parts: verdicts in the order of the run.
    """

    def __init__(self, plan: StagePlan, images: MemoryImages) -> None:
        self._plan, self._images = plan, images
        self._at = {pc: number for number, pc in enumerate(plan.starts)}
        self._visits = [0] * len(plan.starts)
        self._waiting: list[tuple[Stage, list[F64]]] = []
        self._pcs: tuple[int, int] | None = None
        self.parts: list[StageVerdict] = []

    @property
    def verdicts(self) -> list[StageVerdict]:
        """One for each stage, its parts together, in the order in which stages began."""
        found: dict[tuple[int | str, str], StageVerdict] = {}
        for part in self.parts:
            key = (part.stage.layer, part.stage.name)
            found[key] = found[key].joined(part) if key in found else part
        return list(found.values())

    def __call__(self, pc: int, step: Callable[[], int | None]) -> Callable[[], int | None]:
        """As `watch` of `Machine.run`: looks at the memories before an operator's first instruction."""
        number = self._at.get(pc)
        if number is None:
            return step

        def watched() -> int | None:
            self._arrive(number)
            return step()

        return watched

    def _arrive(self, number: int) -> None:
        """Operator `number` begins: judge what ended, and take what it reads."""
        for stage, inputs in self._waiting:
            verdict = judge_stage(stage, inputs, stage.output(self._images))
            self.parts.append(replace(verdict, pcs=self._pcs))
        self._waiting = []
        visit = self._visits[number]
        self._visits[number] += 1
        if number < len(self._plan.passes[visit]):
            stages = self._plan.passes[visit][number]
            self._pcs = self._plan.starts[number], self._plan.starts[number + 1]
            self._waiting = [(stage, [read(self._images) for read in stage.inputs]) for stage in stages]


def first_wrong(verdicts: Iterable[StageVerdict]) -> StageVerdict | None:
    """The stage to blame: the first that did not pass, or None."""
    return next((verdict for verdict in verdicts if not verdict.passed), None)
