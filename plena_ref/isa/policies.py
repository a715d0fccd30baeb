"""What V_TOPK chooses, by the value of its field policy: one table for machines, kernels and docs.

`rtl/plena_pkg.sv` has its numbers: `plena_pkg::TOPK_LOGITS_1`, `plena_pkg::TOPK_CHOSEN_1`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """What one value of the policy field selects: the top `chosen` of `logits` elements, powers of two."""

    chosen: int
    logits: int


#: By the value of the policy field.
POLICIES = (Policy(4, 32), Policy(8, 128))
