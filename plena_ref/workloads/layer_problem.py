"""What layers of a model have in common as problems: sizes from a record, and a verdict end to end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from plena_ref.analysis.roundings import sum_of
from plena_ref.machine.rules import RuleError
from plena_ref.verdict.tolerance import SMALLEST_NORMAL, element_tolerance
from plena_ref.workloads.base import Answer, Problem, Writer

if TYPE_CHECKING:
    from plena_ref.workloads.case import Case

Record = TypeVar("Record")


def record_of(records: Mapping[str, Record], name: str) -> Record:
    """The record that MODEL= names.

    Raises:
        RuleError: there is none of that name.
    """
    if name not in records:
        raise RuleError(f"MODEL must be one of {', '.join(records)} (got {name})")
    return records[name]


@dataclass(frozen=True)
class LayerProblem(Problem[Writer]):
    """X after some layers of a model. The result counts as one head.

    End to end it is judged by what the roundings of all stages come to, and each stage from its own inputs
    (`plena_ref.verdict.stages`).

    Attributes:
        model: which record of `plena_ref.configs.models` has the sizes.
        batch, seq: sequences or images, and new positions or patches of each.
    """

    model: str = "smolvlm2"
    batch: int = 1
    seq: int = 4

    def answer(self, case: Case) -> Answer:
        """The golden of the case's data, and what the roundings of all stages come to."""
        model = self.roundings(case)
        variance = sum_of(model.variances().values())
        answer = Answer.within(model.exact, element_tolerance(variance, model.exact))
        return replace(answer, deviation=np.sqrt(variance + SMALLEST_NORMAL**2))
