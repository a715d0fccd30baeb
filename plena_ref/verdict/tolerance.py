"""What counts as a match with the golden, and how many of a case's elements must be one."""

from __future__ import annotations

from dataclasses import dataclass


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
