"""What a family of workloads is: a problem, the programs that solve it, and how a run of one is judged.

A family is one file: a frozen dataclass derived from `Problem`. Its fields are the keys of the command line,
its methods draw the inputs, place and stage the tensors and compute the golden. docs/extending/operator.md
lists the steps that add one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from plena_ref.machine.hardware import Hardware
from plena_ref.machine.regions import Region
from plena_ref.machine.state import MemoryImages
from plena_ref.machine.tensors import NamedTensor
from plena_ref.verdict.comparison import ComparisonParameters
from plena_ref.verdict.stages import StagePlan
from plena_ref.verdict.tolerance import BF16_LIMITED, SMALLEST_NORMAL, STRICT, Tolerance

if TYPE_CHECKING:
    from plena_ref.analysis.roundings import Roundings
    from plena_ref.kernels.layout.batched import BatchedVram
    from plena_ref.kernels.layout.room import Room
    from plena_ref.kernels.operator import Operator
    from plena_ref.workloads.case import Case

F64 = NDArray[np.float64]

#: What writes the programs of a family.
Writer = TypeVar("Writer", bound="Operator")


class CaseError(ValueError):
    """A case that cannot be built; the message names the rule it breaks."""


@dataclass(frozen=True)
class Placed(Generic[Writer]):
    """A problem whose tensors have their places.

    Attributes:
        operator: what writes the program.
        result: where the result lies in VRAM.
        head_cols: columns of a head in the physical result, padding included.
    """

    operator: Writer
    result: BatchedVram
    head_cols: int

    @classmethod
    def as_head(cls, operator: Writer, result: BatchedVram) -> Placed[Writer]:
        """One whose result counts as one head."""
        return cls(operator, result, result.parent.physical_cols)


@dataclass(frozen=True)
class Answer:
    """What a run must come to.

    Attributes:
        golden: float64, batch x seq x heads x columns of a head.
        interval: bounds of every element, each shaped as golden; None: the case's tolerance judges.
        integers: what words of INT_MEM must hold, by number.
        deviation: the predicted standard error of every element, shaped as golden; None: what the model of
            the roundings says.
    """

    golden: F64
    interval: tuple[F64, F64] | None = None
    integers: Mapping[int, int] = field(default_factory=dict)
    deviation: F64 | None = None

    @classmethod
    def within(cls, golden: F64, error: F64) -> Answer:
        """One that allows each element its own error; `error` has the golden's shape."""
        return cls(golden, (golden - error, golden + error))


@dataclass(frozen=True)
class Problem(ABC, Generic[Writer]):
    """One problem of a family of workloads; a family adds its fields, each with a type that can be parsed.

    Class attributes:
        kernels: the programs that solve it, by what KERNEL= calls them.
        followers: fields that take another one's value while they are None.
        data_kinds: kinds of input data that it knows, the first the usual one.
    """

    kernels: ClassVar[Mapping[str, type[object]]]
    followers: ClassVar[Mapping[str, str]] = {}
    data_kinds: ClassVar[tuple[str, ...]] = ("normal",)

    def __post_init__(self) -> None:
        """Resolve the followers."""
        for name, leader in self.followers.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(self, leader))

    @abstractmethod
    def describe(self) -> str:
        """The problem in a line, for people."""

    @abstractmethod
    def check(self, case: Case) -> None:
        """Refuse what no machine, or not the case's, can do, before any memory is planned.

        Raises:
            RuleError: names the rule.
        """

    @abstractmethod
    def draw(self, case: Case) -> object:
        """The case's inputs from its seed, of its kind, as bf16 values; a type of the family's own."""

    @abstractmethod
    def place(self, case: Case, room: Room) -> Placed[Writer]:
        """Give every tensor its place.

        Raises:
            RuleError: a memory is full, or the kernel does not do this problem.
        """

    @abstractmethod
    def stage(self, case: Case, placed: Placed[Writer], images: MemoryImages) -> Answer:
        """Draw the case's inputs, write them into `images`, and compute the golden of what was written."""

    def stages(
        self, case: Case, placed: Placed[Writer], marks: Sequence[tuple[int, str]]
    ) -> StagePlan | None:
        """The stages that are judged one by one; None: the result is all that is judged.

        Args:
            case, placed: the case, and its tensors.
            marks: of the program (`Program.marks`).
        """
        return None

    @abstractmethod
    def roundings(self, case: Case) -> Roundings:
        """The model of the program's roundings on the case's data: positions and sizes, no layout."""

    def modelled(self, case: Case) -> F64 | None:
        """What all roundings make of the data, shaped as the golden, where a machine leaves the same bits.

        NaN in rows, or None, where f32 sums in another order may change most of a row.
        """
        return None

    def wrong_results(self, case: Case) -> Mapping[str, F64]:
        """Wrong results of the family's own by name, each shaped as the golden; no verdict may accept one."""
        return {}

    def tolerance(self, hw: Hardware) -> Tolerance:
        """What judges the cases of the registry."""
        return STRICT

    def tolerance_of_overrides(self, hw: Hardware) -> Tolerance:
        """What judges a case whose data or shape was given on the command line."""
        return BF16_LIMITED


#: A problem of any family.
AnyProblem: TypeAlias = Problem[Any]  # Any: what a family placed goes back to the same family only


@dataclass(frozen=True)
class Workload:
    """A case made ready to run.

    Attributes:
        case: where it came from.
        words: the program.
        listing: the program as commented assembly.
        images: memories before the run: poison, and what the case stages.
        limit: HBM bytes that belong to data; what the limit register holds.
        outputs: the words that hold the result.
        scratch: the other words that the program may write.
        comparison: where the result lies in VRAM.
        golden: float64, batch x seq x heads x head_dim.
        interval: bounds of every element, each shaped as golden; None: the case's tolerance judges.
        head_cols: columns of a head in the physical result, padding included.
        integers: what words of INT_MEM must hold, by number.
        stages: what is judged stage by stage while the reference machine runs; None: nothing.
        predicted: the predicted standard error of every element where the family has said it.
        tensors: what lies where, by name; scratch may lie where other scratch lies.
        sources: file and line of the kernel that wrote each instruction.
    """

    case: Case
    words: list[int]
    listing: str
    images: MemoryImages
    limit: int
    outputs: list[Region]
    scratch: list[Region]
    comparison: ComparisonParameters
    golden: F64
    interval: tuple[F64, F64] | None
    head_cols: int
    integers: Mapping[int, int] = field(default_factory=dict)
    stages: StagePlan | None = None
    predicted: F64 | None = None
    tensors: Sequence[NamedTensor] = ()
    sources: Sequence[tuple[str, int]] = ()

    @property
    def deviation(self) -> F64:
        """The predicted standard error of every element, shaped as golden; a result may always be flushed."""
        if self.predicted is not None:
            return self.predicted
        variances = list(self.case.problem.roundings(self.case).variances().values())
        return np.sqrt(sum(variances, np.full_like(self.golden, SMALLEST_NORMAL**2)))

    @cached_property
    def modelled(self) -> F64 | None:
        """What the roundings make of the data (`Problem.modelled`)."""
        return self.case.problem.modelled(self.case)

    @property
    def hardware(self) -> Hardware:
        """The machine."""
        return self.case.hardware

    @property
    def tolerance(self) -> Tolerance:
        """Of the comparison with the golden."""
        return self.case.tolerance
