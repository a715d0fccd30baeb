"""What a case knows of its faults: results that it must not have, by name, and where its queries stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plena_ref.analysis.attention_roundings import AttentionRoundings
from plena_ref.verdict.vacuity import wrong_results
from plena_ref.workloads.attention import Attention
from plena_ref.workloads.case import Case
from tb.diagnosis.attention_suspects import suspects as attention_suspects

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Hints:
    """What is known beside the memories.

    Attributes:
        case: what ran; None where only its record is left.
        wrong_stage: the first stage that is wrong, where stages were judged.
    """

    case: Case | None = None
    wrong_stage: str | None = None

    @property
    def first_position(self) -> int | None:
        """Position of the first query among the keys."""
        problem = self.case.problem if self.case is not None else None
        return problem.kv_seq - problem.seq if isinstance(problem, Attention) else None

    def suspects(self, golden: F64) -> Iterator[tuple[str, F64]]:
        """Names and results of known faults, batch x seq x heads x columns."""
        if self.case is None:
            yield from wrong_results(golden).items()
            return
        roundings = self.case.problem.roundings(self.case)
        if isinstance(roundings, AttentionRoundings):
            for name, result in attention_suspects(roundings.problem, self.case.hardware.mlen):
                yield name, result.transpose(0, 2, 1, 3)
        for name, result in {**wrong_results(golden), **self.case.problem.wrong_results(self.case)}.items():
            yield f"it is this: {name}", result
