"""Whether a verdict could tell right from wrong: wrong results are judged as the run's own result is.

Wrong results are made from the golden alone: zeros, the sign turned, heads, batches or rows taken for their
neighbours, and what a family of workloads adds. One that differs from the golden by more than the roundings
can explain, and would pass all the same, makes the verdict vacuous.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

#: A wrong result must be told from the golden when an element of it is off by so many standard errors.
RESOLVABLE_SIGMAS = 8.0


@dataclass(frozen=True)
class Vacuity:
    """What the judge of a run makes of wrong results.

    Attributes:
        refused: names of the wrong results that do not pass.
        vacuous: names of those that pass although an element is too far from the golden.
        not_resolvable: names of those that no judge could refuse, with the number of elements that differ.
    """

    refused: tuple[str, ...]
    vacuous: tuple[str, ...]
    not_resolvable: Mapping[str, int]

    def to_json(self) -> dict[str, object]:
        """For `result.json`."""
        return {
            "refused": list(self.refused),
            "vacuous": list(self.vacuous),
            "not_resolvable": dict(self.not_resolvable),
        }


def wrong_results(golden: F64) -> dict[str, F64]:
    """Wrong results of any workload by name, those that differ from the golden at all.

    Args:
        golden: batch x seq x heads x columns of a head.
    """
    candidates = {
        "zeros": np.zeros_like(golden),
        "sign turned": -golden,
        "heads swapped": np.roll(golden, 1, axis=2),
        "batches swapped": np.roll(golden, 1, axis=0),
        "rows shifted by one": np.roll(golden, 1, axis=1),
    }
    return {name: wrong for name, wrong in candidates.items() if not np.array_equal(wrong, golden)}


def prove(golden: F64, deviation: F64, wrong: Mapping[str, F64], accepts: Callable[[F64], bool]) -> Vacuity:
    """Judge wrong results.

    Args:
        golden: batch x seq x heads x columns of a head.
        deviation: the predicted standard error of each element, as `golden`.
        wrong: by name, each as `golden`.
        accepts: whether the run's own judge lets a result pass.
    """
    refused, vacuous, not_resolvable = [], [], {}
    for name, result in wrong.items():
        difference = np.abs(result - golden)
        if not accepts(result):
            refused.append(name)
        elif bool((difference > RESOLVABLE_SIGMAS * deviation).any()):
            vacuous.append(name)
        else:
            not_resolvable[name] = int((difference > 0).sum())
    return Vacuity(tuple(refused), tuple(vacuous), not_resolvable)
