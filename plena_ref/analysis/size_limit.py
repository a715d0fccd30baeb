"""The largest error that the size of an attention problem on normal data explains, whatever the data are.

Derived in docs/accuracy.md. A prediction above it comes from data that are none of this size.
"""

from __future__ import annotations

import math

from plena_ref.analysis.schedule import Sizes

#: Relative error of one rounding to bf16, root mean square, where it is largest: a step is 2^-7 there.
ROUNDING = 2.0**-7 / math.sqrt(12)
#: Roundings of the output itself, or of a factor of it: P, l, PV, 1/l, O.
OUTPUT_ROUNDINGS = 5.0


def largest_normal(count: int) -> float:
    """What the largest of `count` independent N(0, 1) hardly ever exceeds."""
    return math.sqrt(2 * math.log(count)) + 1


def size_limit(sizes: Sizes, sigma: float) -> float:
    """The largest absolute error that attention of this size on N(0, sigma^2) may make.

    Args:
        sizes: the problem.
        sigma: standard deviation of Q, K and V.
    """
    queries = sizes.batch * sizes.heads * sizes.seq
    values = sizes.batch * sizes.kv_heads * sizes.kv_seq * sizes.head_dim
    # A query's length by sqrt(head_dim), and a score, which is N(0, sigma^2) times that.
    length = sigma * (1 + largest_normal(queries) / math.sqrt(sizes.head_dim))
    score = sigma * largest_normal(queries * sizes.kv_seq) * length
    value = sigma * largest_normal(values)
    # Two keys that share the weight: p(1 - p) is at most 1/4, their values at most 2*value apart.
    return ROUNDING * value * (score / 2 + OUTPUT_ROUNDINGS)
