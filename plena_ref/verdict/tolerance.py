"""What counts as a match with the golden, and how many of a case's elements must be one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tolerance:
    """What counts as a match, and how many of a case's elements must.

    Attributes:
        atol, rtol: an element matches when |got - golden| <= atol + rtol*|golden|.
        match_percent: share of the case's elements that must match.
        outer: every element must lie within outer + outer*|golden|, whatever match_percent says.
    """

    atol: float = 0.02
    rtol: float = 0.02
    match_percent: float = 100.0
    outer: float = 0.1


#: Every element within 0.02 + 0.02*|golden|.
STRICT = Tolerance()
#: For data and shapes nobody has tried: rounding scores to bf16 alone makes about one element in 10,000
#: miss the strict bound. docs/accuracy.md holds the analysis and the command that measures it.
BF16_LIMITED = Tolerance(match_percent=99.9)
#: Nothing is rounded.
EXACT = Tolerance(atol=0.0, rtol=0.0, match_percent=100.0, outer=0.0)


#: Standard deviations of its own error that an element may be off. Errors are sums of bounded ones, so that
#: their tails end before those of a normal distribution; docs/accuracy.md shows what was measured.
ELEMENT_SIGMAS = 6.0
#: The smallest normal number of bf16 and f32; what is below becomes 0.
SMALLEST_NORMAL = 2.0**-126
#: What float64 itself leaves of the golden, relative to 1 + |golden|.
FLOAT64_NOISE = 2.0**-40


def element_tolerance(variance: NDArray[np.float64], golden: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each element may be from its golden, from the roundings of its own row.

    Args:
        variance: of each element's error by the closed form (`plena_ref.analysis`).
        golden: float64, as `variance`.
    """
    return ELEMENT_SIGMAS * np.sqrt(variance) + FLOAT64_NOISE * (1 + np.abs(golden))
